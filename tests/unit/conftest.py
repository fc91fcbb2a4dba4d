"""Which tests of one process are too slow for every save of a file."""

from pathlib import Path

import pytest

#: The fixture with which the tests of a room start its whole app.
WHOLE_APP = {"embedded_xnat": "golden_home", "gateway": "app", "study_governor": "app"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count what starts a whole app as slow: the quick tests are for every save of a file."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            room = item.path.relative_to(Path(__file__).parent).parts[0]
            if WHOLE_APP.get(room) in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.slow)
