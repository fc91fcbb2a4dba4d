"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Iterator

import pytest

from tests.architecture.test_house_rules import REPOSITORY, modules, source

_PREFECT = re.compile(r"^(?:from|import) prefect\b", re.MULTILINE)


def with_examples() -> Iterator[object]:
    for path in modules():
        if ">>> " in source(path):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            dear = [pytest.mark.integration] if _PREFECT.search(source(path)) else []
            yield pytest.param(".".join(parts).removesuffix(".__init__"), marks=dear)


@pytest.mark.parametrize("module", list(with_examples()))
def test_the_examples_of_a_module_are_true(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
