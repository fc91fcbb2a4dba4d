"""The demonstration from beginning to end, beside a running house. Imports this package and the launcher."""

from __future__ import annotations

import json
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.demo.scans import ARCHIVE_BYTES, BUNDLED_IMAGES, PROTOCOL_ID, cache_folder, fetch_archive
from deployments.demo.stages import Progress, Stage
from deployments.errors import Interrupted
from deployments.launcher.endpoints import AE_TITLE
from deployments.launcher.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployments.demo.display import Display
    from deployments.demo.house_view import HouseView
    from deployments.demo.prepare import OutgoingSession, Prepared
    from deployments.launcher.credentials import Credentials
    from deployments.launcher.endpoints import Endpoints
    from deployments.launcher.home import Home


_FETCHING = f"Fetching the scans ({ARCHIVE_BYTES / 1e6:.0f} MB, once)"
#: While a person answers the reviews, so often it is looked what moved.
_WATCH_EVERY_S = 1.0


@dataclass(frozen=True)
class DemoOptions:
    """What the demonstration shall do.

    Attributes
    ----------
    own_scans
        Folder with scans of one's own; None takes the two public sessions.
    answers_reviews
        Answer the review tasks instead of leaving them to a person.
    """

    own_scans: Path | None = None
    answers_reviews: bool = False


@dataclass(frozen=True)
class DemoResult:
    """What came of it."""

    sessions: tuple[Progress, ...]
    biomarkers: tuple[dict[str, Any], ...]
    files: tuple[Path, ...]
    left_out: dict[str, int]


class Demo:
    """Prepares, sends and follows sessions. Every method blocks; `stop` ends them early from another thread."""

    def __init__(self, home: Home, options: DemoOptions, display: Display) -> None:
        self._home = home
        self._options = options
        self._display = display
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}

    def stop(self) -> None:
        """Let the running step end soon."""
        self._stopped.set()

    def prepare(self) -> Prepared:
        """Fetch and de-identify; needs nothing that runs.

        Raises
        ------
        DemoInputUnavailable, NothingToSend
        """
        from deployments.demo.prepare import prepare_bundled, prepare_own

        if self._options.own_scans is not None:
            prepared = prepare_own(
                self._home, self._options.own_scans, check=self._check, on_image=self._note_deidentified
            )
        else:
            prepared = prepare_bundled(self._home, self._fetch, check=self._check, on_image=self._note_deidentified)
        self._display.doing("")
        return prepared

    def carry_out(self, prepared: Prepared, endpoints: Endpoints, credentials: Credentials) -> DemoResult:
        """Send, follow, answer the reviews if asked to, and collect what came of it.

        Raises
        ------
        SendFailed
        DemoUnfinished
            If nothing changed for very long.
        Interrupted
            If `stop` was called.
        """
        from deployments.demo.follow import follow
        from deployments.demo.house_view import HouseView

        annotator = credentials.person("annotator") if self._options.answers_reviews else None
        self._send_all(prepared, port=endpoints.ports.dicom)
        self._display.headline("Following the sessions")
        with HouseView(endpoints, credentials.api_token, cohort=PROTOCOL_ID, reader=annotator) as view:
            sessions = follow(list(self._progress.values()), view, on_change=self._note, check=self._check)
            return self._result(sessions, view, left_out=prepared.left_out)

    def watch(
        self,
        sessions: Sequence[Progress],
        endpoints: Endpoints,
        credentials: Credentials,
        *,
        on_change: Callable[[Progress], None],
    ) -> DemoResult:
        """Follow sessions on while a person answers their reviews, until each is at its end.

        Raises
        ------
        Interrupted
            If `stop` was called.
        """
        from deployments.demo.follow import follow
        from deployments.demo.house_view import HouseView

        with HouseView(endpoints, credentials.api_token, cohort=PROTOCOL_ID) as view:
            ended = follow(
                sessions,
                view,
                on_change=on_change,
                check=self._check,
                waits_for_reviews=True,
                longest_wait_s=math.inf,
                poll_s=_WATCH_EVERY_S,
            )
            return self._result(ended, view, left_out={})

    def _result(self, sessions: tuple[Progress, ...], view: HouseView, *, left_out: dict[str, int]) -> DemoResult:
        labels = {session.label for session in sessions if session.label}
        return DemoResult(sessions, tuple(view.measurements(labels)), tuple(_released_files(self._home)), left_out)

    def _fetch(self) -> Path:
        self._display.doing(_FETCHING)
        archive = fetch_archive(cache_folder(), on_bytes=self._note_bytes)
        self._display.doing("Unpacking the scans")
        return archive

    def _note_bytes(self, done: int) -> None:
        self._check()
        self._display.downloaded(done, ARCHIVE_BYTES)
        self._display.doing(_FETCHING, "all here, being checked" if done >= ARCHIVE_BYTES else f"{done / 1e6:.0f} MB")

    def _note_deidentified(self, done: int) -> None:
        of_all = "" if self._options.own_scans is not None else f" of {BUNDLED_IMAGES}"
        self._display.doing("De-identifying the scans", f"{done}{of_all} images")

    def _send_all(self, prepared: Prepared, *, port: int) -> None:
        self._display.headline("Sending by C-STORE")
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda session: self._send(session, port=port), prepared.sessions))

    def _send(self, session: OutgoingSession, *, port: int) -> None:
        from deployments.demo.send import send_session

        total = len(session.files())
        progress = Progress(session.subject, session.study_instance_uid, total=total, stage=Stage.sending)

        def note(sent: int) -> None:
            self._check()
            self._note(replace(progress, sent=sent))

        note(0)
        send_session(session, host=LOOPBACK, port=port, ae_title=AE_TITLE, on_sent=note)

    def _note(self, progress: Progress) -> None:
        with self._lock:
            self._progress[progress.study_instance_uid] = progress
        self._display.show(progress)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Interrupted


def _released_files(home: Home) -> list[Path]:
    """Give the tables of the study's release."""
    return sorted((home.releases / PROTOCOL_ID).glob("[!.]*.*"))


def write_table(path: Path, rows: tuple[dict[str, Any], ...]) -> None:
    """Write the biomarkers as JSON: a list of {session, subject, name, value, unit, model, version}."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(rows, indent=2) + "\n")
    partial.replace(path)
