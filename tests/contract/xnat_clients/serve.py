"""Runs an embedded XNAT in a process of its own, for the tests."""

from pathlib import Path

import uvicorn

from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings


def serve(home: Path, port: int, prefix: str) -> None:
    """Serve until SIGTERM."""
    settings = EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
        id_prefix=prefix,
        inbox_dir=home / "inbox",
        session_check_s=0.5,
    )
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="warning")
