"""Starts what imports in the background, with the app. May import FastAPI."""

from fastapi import FastAPI

from embedded_xnat.imports.inbox import Inbox
from embedded_xnat.imports.prearchive_actions import Actions
from embedded_xnat.imports.worker import ImportWorker
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.storage.archive import Archive


def start_imports(app: FastAPI, settings: EmbeddedXnatSettings, archive: Archive) -> None:
    """Start the worker and open the inbox; the end of the app stops the worker."""
    inbox_dir = settings.inbox_dir
    app.state.inbox = None if inbox_dir is None else Inbox(archive, inbox_dir, id_prefix=settings.id_prefix)
    app.state.import_worker = ImportWorker(
        Actions(archive, settings.id_prefix),
        app.state.inbox,
        idle_s=lambda: settings.session_idle_s,
        check_s=settings.session_check_s,
    )
    app.state.import_worker.start()
