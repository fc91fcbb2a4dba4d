"""Puts a study into a running Cohortflow: archive, governor, supervisor, and the folder the flows read. Idempotent.

``python -m deployments.study_apply DIR`` is the step of the launcher's start; ``cohortflow study apply`` calls the same.
Imports tasks' archive and studies and the services' clients.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.errors import DeploymentError, Refused, StudyMistakes
from deployments.launcher.child import LAUNCHER_PID, bind_to_launcher
from deployments.study_check import find_mistakes
from study_governor.client import GovernorClient, GovernorError
from task_supervisor.client import SupervisorClient, SupervisorError
from tasks.archive.xnat import XnatArchive
from tasks.errors import TaskError
from tasks.studies import load_study

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tasks.studies import Study


@dataclass(frozen=True)
class Services:
    """Where a study is applied to; each field comes from the environment variable of its name."""

    governor_url: str
    supervisor_url: str
    api_token: str
    xnat_url: str
    xnat_user: str
    xnat_password: str
    studies_dir: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Services:
        """Read them from the variables that every process of Cohortflow gets."""
        return cls(
            governor_url=environment["COHORTFLOW_GOVERNOR_URL"],
            supervisor_url=environment["COHORTFLOW_SUPERVISOR_URL"],
            api_token=environment["COHORTFLOW_API_TOKEN"],
            xnat_url=environment["COHORTFLOW_XNAT_URL"],
            xnat_user=environment["COHORTFLOW_XNAT_USER"],
            xnat_password=environment["COHORTFLOW_XNAT_PASSWORD"],
            studies_dir=Path(environment["COHORTFLOW_STUDIES_DIR"]),
        )


def checked_study(folder: Path) -> Study:
    """Read a study folder.

    Raises
    ------
    StudyMistakes
        With every mistake, each with file and line.
    """
    if mistakes := find_mistakes(folder):
        raise StudyMistakes(folder, mistakes)
    return load_study(folder)


def apply_study(folder: Path, services: Services) -> Iterator[str]:
    """Apply a study; give a line for each thing that was brought up to date.

    The folder is copied last: from then on arrivals are routed by it.

    Raises
    ------
    StudyMistakes
    Refused
        If a service does not answer, or refuses.
    """
    study = checked_study(folder)
    try:
        yield from _apply(study, services)
    except (GovernorError, SupervisorError, TaskError) as error:
        raise Refused(f"The study {study.name} could not be applied: {error}") from error
    if copy_study(folder, services.studies_dir / study.name):
        yield f"study folder {study.name}"


def _apply(study: Study, services: Services) -> Iterator[str]:
    with XnatArchive(services.xnat_url, services.xnat_user, services.xnat_password) as archive:
        archive.ensure_project(study.xnat_project, title=study.title)
        archive.name_study(study.xnat_project, study.name)
    yield f"archive project {study.xnat_project}"
    governor = GovernorClient(services.governor_url, services.api_token)
    governor.import_workflow(study.workflow_text())
    yield f"workflow {study.workflow_label()}"
    governor.put_cohort(study.cohort, description=study.title)
    yield f"cohort {study.cohort}"
    for system, url in (("XNAT", services.xnat_url), ("TASKMANAGER", services.supervisor_url)):
        governor.put_external_system(system, url)
    supervisor = SupervisorClient(services.supervisor_url, services.api_token)
    for path in study.template_paths:
        supervisor.put_template(path.stem, path.read_text(encoding="utf-8"))
        yield f"template {path.stem}"


def copy_study(folder: Path, target: Path) -> bool:
    """Keep a copy of a study folder, replaced as a whole; give whether anything changed."""
    if folder.resolve() == target.resolve() or are_equal(folder, target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, former = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)
    shutil.copytree(folder, partial)
    if target.exists():
        target.rename(former)
    partial.rename(target)
    shutil.rmtree(former, ignore_errors=True)
    return True


def are_equal(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    return other.is_dir() and not list(differences(one, other))


def differences(one: Path, other: Path) -> Iterator[str]:
    """Give the names of files that are in one of the folders only, or not the same."""
    names = {path.relative_to(top) for top in (one, other) for path in top.rglob("*") if path.is_file()}
    for name in sorted(names):
        both = (one / name).is_file() and (other / name).is_file()
        if not both or not filecmp.cmp(one / name, other / name, shallow=False):
            yield str(name)


def main() -> None:
    """Apply the study folder given as the only argument."""
    if launcher_pid := os.environ.get(LAUNCHER_PID):
        bind_to_launcher(int(launcher_pid))
    try:
        for line in apply_study(Path(sys.argv[1]), Services.of(os.environ)):
            print(line)
    except DeploymentError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
