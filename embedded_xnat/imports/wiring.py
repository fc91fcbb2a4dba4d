"""Starts what imports in the background, with the app. May import FastAPI."""

from fastapi import FastAPI

from embedded_xnat.imports.inbox import Inbox
from embedded_xnat.imports.prearchive_actions import Actions
from embedded_xnat.imports.worker import ImportWorker
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.site.config import SiteConfig
from embedded_xnat.storage.archive import Archive


def start_imports(app: FastAPI, settings: EmbeddedXnatSettings, archive: Archive) -> None:
    """Start the worker and open the inbox; the end of the app stops the worker."""
    inbox_dir = settings.inbox_dir
    app.state.inbox = None if inbox_dir is None else Inbox(archive, inbox_dir, id_prefix=settings.id_prefix)
    app.state.import_worker = ImportWorker(
        Actions(archive, settings.id_prefix),
        app.state.inbox,
        idle_s=lambda: _idle_s(app.state.site_config, settings),
        check_s=settings.session_check_s,
    )
    app.state.import_worker.start()


def _idle_s(config: SiteConfig, settings: EmbeddedXnatSettings) -> float:
    """Return the idle seconds of a session: those of the settings, until an administrator sets minutes for the site."""
    minutes = config.changed("sessionXmlRebuilderInterval")
    return settings.session_idle_s if minutes is None else 60.0 * int(minutes)
