"""Prepares what is sent: de-identified images in an outgoing folder, one folder a session. Imports pydicom."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.demo.codes import CodeBook
from deployments.demo.deidentify import Policy, deidentify, read_image
from deployments.demo.scans import ARCHIVE_SHA256, PROTOCOL_ID, SITE_ID, NotAnImage, bundled_sessions, files_below
from deployments.errors import NothingToSend
from deployments.launcher.home import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydicom.dataset import FileDataset

    from deployments.demo.deidentify import CleanInstance
    from deployments.launcher.home import Home

_RECIPE = 3
"""Raised when the de-identification changes, or what is sent, so that kept objects are made anew."""


Check = Callable[[], None]


def _go_on() -> None:
    """Ask for nothing to end."""


def _count_silently(_: int) -> None:
    """Tell nobody how many images are done."""


@dataclass(frozen=True)
class OutgoingSession:
    """One DICOM study of one subject, de-identified and ready to be sent."""

    subject: str
    study_instance_uid: str
    folder: Path

    def files(self) -> list[Path]:
        """Give the objects to send."""
        return sorted(self.folder.glob("*.dcm"))


@dataclass(frozen=True)
class Prepared:
    """What is ready to be sent, and what was left out, counted by reason."""

    sessions: tuple[OutgoingSession, ...]
    left_out: dict[str, int]


def prepare_bundled(
    home: Home,
    fetch: Callable[[], Path],
    *,
    check: Check = _go_on,
    on_image: Callable[[int], None] = _count_silently,
) -> Prepared:
    """De-identify the two sessions of the demonstration, or give what an earlier run prepared.

    Parameters
    ----------
    fetch
        Gives the archive with the sessions; called only when they are not prepared yet.
    check
        Called before each image; raises to end the work.
    on_image
        Called before each image with the number of those before it.
    """
    check = _counting(check, on_image)
    outgoing = home.path / "outgoing" / "demo"
    policy = Policy(CodeBook(home.private).key, protocol_id=PROTOCOL_ID, site_id=SITE_ID, keep_dates=True)
    recipe = {"recipe": _RECIPE, "archive": ARCHIVE_SHA256, "key": hashlib.sha256(policy.key).hexdigest()[:16]}
    stamp = outgoing / "prepared.json"
    content = read_json(stamp) or {}
    if {name: content.get(name) for name in recipe} != recipe:
        archive = fetch()
        shutil.rmtree(outgoing, ignore_errors=True)
        left_out: Counter[str] = Counter()
        sessions = [
            session
            for subject, files in bundled_sessions(archive)
            for session in _write(outgoing, _cleaned(files, policy, _always(subject), left_out=left_out, check=check))
        ]
        content = {
            **recipe,
            "left_out": dict(left_out),
            "sessions": [[session.subject, session.study_instance_uid, session.folder.name] for session in sessions],
        }
        write_json(stamp, content)
    return Prepared(
        sessions=tuple(OutgoingSession(subject, uid, outgoing / name) for subject, uid, name in content["sessions"]),
        left_out=content["left_out"],
    )


def prepare_own(
    home: Home, folder: Path, *, check: Check = _go_on, on_image: Callable[[int], None] = _count_silently
) -> Prepared:
    """De-identify somebody's own scans; who is who stays in the home's private folder.

    Raises
    ------
    NothingToSend
        If the folder holds no DICOM image that can be sent.
    """
    check = _counting(check, on_image)
    outgoing = home.path / "outgoing" / "own"
    shutil.rmtree(outgoing, ignore_errors=True)
    book = CodeBook(home.private)
    policy = Policy(book.key, protocol_id=PROTOCOL_ID, site_id=SITE_ID)

    left_out: Counter[str] = Counter()
    sessions = _write(
        outgoing,
        _cleaned(files_below(folder), policy, lambda ds: book.code_of(_patient_of(ds)), left_out=left_out, check=check),
    )
    if not sessions:
        raise NothingToSend(folder, left_out)
    return Prepared(sessions=tuple(sessions), left_out=dict(left_out))


def _counting(check: Check, on_image: Callable[[int], None]) -> Check:
    done = count()

    def check_and_count() -> None:
        check()
        on_image(next(done))

    return check_and_count


def _always(subject: str) -> Callable[[FileDataset], str]:
    return lambda _: subject


def _patient_of(ds: FileDataset) -> str:
    """Give what tells one patient from another, as far as the header does."""
    if ds.get("PatientID"):
        return f"{ds.PatientID}|{ds.get('IssuerOfPatientID', '')}"
    return f"name:{ds.get('PatientName', '')}|{ds.get('PatientBirthDate', '')}"


def _cleaned(
    files: Iterable[bytes | NotAnImage],
    policy: Policy,
    code_of: Callable[[FileDataset], str],
    *,
    left_out: Counter[str],
    check: Check,
) -> Iterator[tuple[str, CleanInstance]]:
    for content in files:
        check()
        try:
            if isinstance(content, NotAnImage):
                raise content
            ds = read_image(content)
            code = code_of(ds)
            yield code, deidentify(ds, subject=code, policy=policy)
        except NotAnImage as reason:
            left_out[str(reason)] += 1


def _write(outgoing: Path, instances: Iterable[tuple[str, CleanInstance]]) -> list[OutgoingSession]:
    sessions: dict[str, OutgoingSession] = {}
    for subject, instance in instances:
        uid = instance.study_instance_uid
        if uid not in sessions:
            folder = outgoing / f"{subject}_{hashlib.sha256(uid.encode()).hexdigest()[:8]}"
            folder.mkdir(parents=True, mode=0o700)
            sessions[uid] = OutgoingSession(subject, uid, folder)
        (sessions[uid].folder / f"{instance.sop_instance_uid}.dcm").write_bytes(instance.content)
    return list(sessions.values())
