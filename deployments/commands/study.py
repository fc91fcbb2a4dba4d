"""``cohortflow study check|apply|diff``. Imports the study's own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.commands.surroundings import running_environment
from deployments.study_apply import Services, apply_study, checked_study, differences

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from deployments.launcher.home import Home


def check(folder: Path, console: Console) -> None:
    """Say every mistake of a study folder, or that there is none.

    Raises
    ------
    StudyMistakes
    """
    study = checked_study(folder)
    console.print(f"{study.name}: no mistakes found ({len(study.scan_types)} scan types, {len(study.models)} models)")


def apply(folder: Path, home: Home, console: Console) -> None:
    """Apply a study to the running Cohortflow.

    Raises
    ------
    StudyMistakes, NotRunning
    """
    for line in apply_study(folder, Services.of(running_environment(home))):
        console.print(f"up to date: {line}", highlight=False)


def diff(folder: Path, home: Home, console: Console) -> None:
    """Show which files of a study folder differ from what is applied.

    Raises
    ------
    StudyMistakes, NotRunning
    """
    study = checked_study(folder)
    applied = Services.of(running_environment(home)).studies_dir / study.name
    if not applied.is_dir():
        console.print(f"{study.name} is not applied yet; everything would be new", highlight=False)
        return
    changed = list(differences(folder, applied))
    for name in changed:
        console.print(f"would change: {name}", highlight=False)
    if not changed:
        console.print(f"{study.name}: nothing would change", highlight=False)
