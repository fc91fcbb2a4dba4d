"""``cohortflow xnat check``. Imports the archive's own check."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.errors import Refused
from embedded_xnat.consistency.service import find_problems, mend_problems
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.launcher.home import Home


@dataclass(frozen=True)
class Place:
    """Where an archive keeps its files and its rows."""

    data_dir: Path
    database_url: str


def place_of(home: Home, *, is_chosen: bool) -> Place:
    """Give where the archive of a home is; a container's environment counts where no home was named."""
    data_dir = None if is_chosen else os.environ.get("COHORTFLOW_XNAT_DATA_DIR")
    database_url = os.environ.get("COHORTFLOW_XNAT_DATABASE_URL")
    return Place(Path(data_dir) if data_dir else home.xnat_data, database_url or home.database_url("xnat"))


def place_alone(data: Path, database_url: str | None) -> Place:
    """Give where an archive is that 'cohortflow serve embedded-xnat --data' runs, or one whose database is named."""
    if database_url is not None:
        return Place(data, database_url)
    return Place(data / "archive", f"sqlite:///{data / 'xnat.db'}")


def check(place: Place, *, repair: bool, digests: bool, console: Console) -> bool:
    """Say each problem in a line, and mend it if asked to; give whether nothing wrong is left.

    Raises
    ------
    Refused
    """
    count = 0
    try:
        if repair:
            for problem, done in mend_problems(place.data_dir, place.database_url, digests=digests):
                count += 1
                console.print(f"{problem}; {done}", highlight=False, markup=False, soft_wrap=True)
        else:
            for problem in find_problems(place.data_dir, place.database_url, digests=digests):
                count += problem.is_wrong
                console.print(str(problem), highlight=False, markup=False, soft_wrap=True)
    except ServiceError as error:
        raise Refused(error.detail) from error
    if not count:
        console.print("Nothing is wrong: every row has its file, every file its row.", highlight=False)
    elif not repair:
        console.print(f"{count} found. Stop the archive's server and mend with --repair.", highlight=False)
    return repair or not count
