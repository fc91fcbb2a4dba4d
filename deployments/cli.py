"""The command line ``cohortflow``. Imports typer only; what a command needs is imported when it runs.

An error is one sentence on standard error and an exit code of its own (`deployments.errors`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.errors import DeploymentError

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.launcher.home import Home

# Help in plain text (rich_markup_mode=None): drawing it with rich would take half a second.
app = typer.Typer(
    name="cohortflow",
    help="Carry medical images of a research cohort from the scanner's side to biomarkers that people trust.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
study_app = typer.Typer(
    help="Check a study definition, put it into a running Cohortflow, show what would change.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
user_app = typer.Typer(
    help="Add and list users, set passwords, issue API tokens.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(study_app, name="study")
app.add_typer(user_app, name="user")
xnat_app = typer.Typer(help="Look after the embedded archive.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(xnat_app, name="xnat")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder for all data. Default: $COHORTFLOW_HOME, else ~/.local/share/cohortflow/home."),
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port of the site; 0 takes a free one. Default: 8080."),
]
DicomPortOption = Annotated[
    int | None,
    typer.Option(
        "--dicom-port", min=0, max=65535, help="Port of the DICOM receiver; 0 takes a free one. Default: 11112."
    ),
]
XnatPortOption = Annotated[
    int | None,
    typer.Option("--xnat-port", min=0, max=65535, help="Port of the archive. Default: 8081, or a free one."),
]
PrefectPortOption = Annotated[
    int | None,
    typer.Option("--prefect-port", min=0, max=65535, help="Port of the Prefect server. Default: 4200, or a free one."),
]
StudyFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder with study.yaml.", exists=True, file_okay=False)
]


@app.command()
def up(
    *,
    home: HomeOption = None,
    port: PortOption = None,
    dicom_port: DicomPortOption = None,
    xnat_port: XnatPortOption = None,
    prefect_port: PrefectPortOption = None,
    quiet_period: Annotated[
        float,
        typer.Option(
            min=0.1,
            envvar="COHORTFLOW_QUIET_PERIOD_S",
            help="Seconds without an image after which a DICOM study counts as complete.",
        ),
    ] = 30.0,
    example: Annotated[bool, typer.Option(help="Put the study brain-volumetry in.")] = True,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C or SIGTERM."""
    from deployments.commands import up as command
    from deployments.launcher.plan import LaunchOptions
    from deployments.launcher.ports import PortWishes

    command.run(
        _home(home),
        wishes=PortWishes(site=port, dicom=dicom_port, xnat=xnat_port, prefect=prefect_port),
        options=LaunchOptions(quiet_period_s=quiet_period, log_level=os.environ.get("COHORTFLOW_LOG_LEVEL", "INFO")),
        with_example=example,
        console=_console(),
    )


@app.command()
def demo(
    *,
    exits: Annotated[
        bool, typer.Option("--exit", help="Answer the reviews, print the biomarkers, stop everything and end.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the table of biomarkers as JSON too.")
    ] = None,
    dicom: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", exists=True, file_okay=False, help="Use your own scans; they are de-identified first."
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", help="Folder for all data. Default: $COHORTFLOW_HOME, else ~/.local/share/cohortflow/demo."
        ),
    ] = None,
    port: PortOption = None,
    dicom_port: DicomPortOption = None,
    browser: Annotated[bool, typer.Option(help="Open the review tasks in the browser.")] = True,
) -> None:
    """Show the whole way on real MR sessions: images in, archive, brain volume, review, release."""
    from deployments.commands import demo as command
    from deployments.launcher.ports import PortWishes

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_file.absolute().parent}", param_hint="--json")
    console = _console()
    command.run(
        _home(home, "demo"),
        ports=PortWishes(site=port, dicom=dicom_port, yielding=True),
        wishes=command.DemoWishes(
            exits=exits, json_file=json_file, own_scans=dicom, opens_browser=browser and console.is_terminal
        ),
        console=console,
    )


@app.command()
def send(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with DICOM.", exists=True, file_okay=False)],
    home: HomeOption = None,
) -> None:
    """De-identify your own scans and send them by C-STORE to the running Cohortflow, into the study brain-volumetry."""
    from deployments.commands import send as command

    command.run(_home(home), folder, _console())


@app.command()
def serve(
    process: Annotated[
        str,
        typer.Argument(
            metavar="PROCESS",
            help="study-governor, task-supervisor, gateway, dicom-receiver, embedded-xnat, web, worker, dask or prefect.",
        ),
    ],
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one. Each has a default.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="embedded-xnat alone: keep everything here; made if needed."),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="With --data: file with the password of the user admin."),
    ] = None,
) -> None:
    """Run one process alone, with its settings in COHORTFLOW_… environment variables, as containers do.

    'cohortflow serve embedded-xnat --data DIR' needs no settings: an archive of its own, with a user admin.
    """
    from deployments.logs import configure_logging
    from deployments.processes import PROCESSES, enter

    if process not in PROCESSES:
        raise typer.BadParameter(
            f"no process {process!r}; there are {', '.join(sorted(PROCESSES))}", param_hint="PROCESS"
        )
    if (host is not None or port is not None) and (address := PROCESSES[process].address):
        raise typer.BadParameter(f"{process} takes neither: {address}", param_hint="--host, --port")
    host = host or "127.0.0.1"
    if data is not None or password_file is not None:
        if process != "embedded-xnat" or data is None:
            raise typer.BadParameter("only 'serve embedded-xnat' takes it, together with --data", param_hint="--data")
        from deployments.standalone_archive import serve as serve_alone

        configure_logging(os.environ.get("COHORTFLOW_LOG_LEVEL", "WARNING"))
        serve_alone(data.expanduser().absolute(), host=host, port=port, password_file=password_file)
        return
    configure_logging(os.environ.get("COHORTFLOW_LOG_LEVEL", "INFO"))
    enter(process, host=host, port=port)


@app.command()
def status(home: HomeOption = None) -> None:
    """Show which processes run and which parts are ready; exit code 1 when one is not, 6 when nothing runs."""
    from deployments.commands import status as command

    if not command.show(_home(home), _console()):
        raise typer.Exit(1)


@study_app.command("check")
def study_check(folder: StudyFolder) -> None:
    """Say every mistake of a study folder with file and line."""
    from deployments.commands import study

    study.check(folder, _console())


@study_app.command("apply")
def study_apply(folder: StudyFolder, home: HomeOption = None) -> None:
    """Put a study into the running Cohortflow; doing it again changes nothing."""
    from deployments.commands import study

    study.apply(folder, _home(home), _console())


@study_app.command("diff")
def study_diff(folder: StudyFolder, home: HomeOption = None) -> None:
    """Show what 'apply' would change."""
    from deployments.commands import study

    study.diff(folder, _home(home), _console())


@user_app.command("add")
def user_add(
    *,
    username: Annotated[str, typer.Argument()],
    role: Annotated[list[str], typer.Option(help="admin, engineer, coordinator or annotator; may be repeated.")],
    study: Annotated[str | None, typer.Option(help="Only in this study.")] = None,
    site: Annotated[str | None, typer.Option(help="Only at this site.")] = None,
    name: Annotated[str | None, typer.Option(help="Name shown on pages.")] = None,
    home: HomeOption = None,
) -> None:
    """Add a user with a generated password, shown once."""
    from deployments.commands import user

    known = ("admin", "engineer", "coordinator", "annotator")
    if unknown := [one for one in role if one not in known]:
        raise typer.BadParameter(f"no role {unknown[0]!r}; there are {', '.join(known)}", param_hint="--role")
    user.add(_home(home), username, roles=role, study=study, site=site, display_name=name, console=_console())


@user_app.command("list")
def user_list(home: HomeOption = None) -> None:
    """List the users and their roles."""
    from deployments.commands import user

    user.show(_home(home), _console())


@user_app.command("password")
def user_password(
    *,
    username: Annotated[str, typer.Argument()],
    from_stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the password as one line from standard input; else one is generated.")
    ] = False,
    revoke_tokens: Annotated[bool, typer.Option("--revoke-tokens", help="End the user's API tokens, too.")] = False,
    home: HomeOption = None,
) -> None:
    """Set a user's password anew, shown once if it is generated; every browser of the user is signed out."""
    from deployments.commands import user

    user.password(_home(home), username, from_stdin=from_stdin, revoke_tokens=revoke_tokens, console=_console())


@user_app.command("token")
def user_token(
    *,
    username: Annotated[str, typer.Argument()],
    name: Annotated[str, typer.Option(help="What the token is for.")] = "command line",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="For example gateway:write; may be repeated. Default: all that the roles allow."),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.01, help="Days until it expires. Default: never.")] = None,
    home: HomeOption = None,
) -> None:
    """Issue an API token, shown once."""
    from deployments.commands import user

    user.token(_home(home), username, name=name, scopes=scope or (), days=days, console=_console())


@xnat_app.command("check")
def xnat_check(
    *,
    home: HomeOption = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of an archive that runs alone, as given to 'serve'.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Its database (SQLAlchemy URL); then --data is the folder of the files itself."
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend it; nothing is deleted. Stop the archive's server first.")
    ] = False,
    digests: Annotated[bool, typer.Option(help="Read every file and compare its digest, too.")] = True,
) -> None:
    """Compare the archive's database with its files; exit code 1 when something is wrong and was not mended."""
    from deployments.commands import xnat

    if data is not None:
        place = xnat.place_alone(data.expanduser().absolute(), database)
    elif database is not None:
        raise typer.BadParameter("name the folder of its files with --data, too", param_hint="--database")
    else:
        place = xnat.place_of(_home(home), is_chosen=home is not None)
    if not xnat.check(place, repair=repair, digests=digests, console=_console()):
        raise typer.Exit(1)


def _home(path: Path | None, kind: str = "home") -> Home:
    from deployments.launcher.home import Home, default_home

    return Home((path or default_home(kind)).expanduser().absolute())


def _console() -> Console:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 160  # a log file has no width; tables shall not be cut
    return console


def main() -> None:
    """Run the command line; the entry point of the program."""
    for name in ("NO_PROXY", "no_proxy"):  # our own processes are never behind the user's proxy
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))
    try:
        app()
    except DeploymentError as error:
        print(f"cohortflow: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
