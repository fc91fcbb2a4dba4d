"""Store the results of a session in the archive: only what changed is sent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tasks.archive.port import Archive


def store_results(archive: Archive, session_id: str, *, resource: str, files: Mapping[str, Path]) -> dict[str, str]:
    """Put files into a resource of a session.

    Parameters
    ----------
    archive
        Where they go.
    session_id
        Accession id of the session.
    resource
        Label of the resource, such as BRAIN_TIV.
    files
        Paths by the names they get.

    Returns
    -------
    dict
        Address of each file below the archive's root, by name.
    """
    holder = f"/data/experiments/{session_id}"
    held = {entry.name: entry.md5 for entry in archive.files(holder, resource)}
    changed = {name: path for name, path in files.items() if not held.get(name) or held[name] != _md5(path)}
    if changed:
        archive.upload(holder, resource, changed)
    return {name: f"{holder}/resources/{resource}/files/{name}" for name in files}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
