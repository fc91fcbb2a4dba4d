"""Runs an embedded XNAT in a process of its own, for the tests."""

from pathlib import Path

import uvicorn

from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings


def serve(home: Path, port: int, prefix: str, idle_s: float) -> None:
    """Serve until SIGTERM; a session that no file came for in so many seconds is complete."""
    settings = EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
        id_prefix=prefix,
        inbox_dir=home / "inbox",
        session_check_s=0.5,
        session_idle_s=idle_s,
    )
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="warning")
