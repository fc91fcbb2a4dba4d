"""``cohortflow send``: one's own scans, de-identified, into the running Cohortflow. Imports the demo's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deployments.commands.surroundings import endpoints_of
from deployments.demo.prepare import prepare_own
from deployments.demo.send import send_session
from deployments.errors import NotRunning
from deployments.launcher.endpoints import AE_TITLE
from deployments.launcher.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from deployments.demo.prepare import OutgoingSession
    from deployments.launcher.home import Home


def run(home: Home, folder: Path, console: Console) -> None:
    """De-identify every image below a folder and send it by C-STORE.

    Raises
    ------
    NotRunning, NothingToSend, SendFailed
    """
    if not home.is_running():
        raise NotRunning(home.path)
    endpoints = endpoints_of(home)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        looking = progress.add_task("De-identifying", total=None)
        prepared = prepare_own(home, folder, on_image=lambda done: progress.update(looking, completed=done))
        progress.remove_task(looking)
        for session in prepared.sessions:
            count = _send(session, port=endpoints.ports.dicom, progress=progress)
            console.print(f"sent: {session.subject}, {count} images", highlight=False)
    for reason, count in prepared.left_out.items():
        console.print(f"not sent: {count} {'file' if count == 1 else 'files'}, {reason}", highlight=False)
    console.print(f"Follow them at {endpoints.site_url}/gateway/", highlight=False, soft_wrap=True)


def _send(session: OutgoingSession, *, port: int, progress: Progress) -> int:
    sending = progress.add_task(f"Sending {session.subject}", total=len(session.files()))

    def note(sent: int) -> None:
        progress.update(sending, completed=sent)

    return send_session(session, host=LOOPBACK, port=port, ae_title=AE_TITLE, on_sent=note)
