"""Runs an embedded XNAT in a process of its own, for the tests: ``python serve.py HOME PORT PREFIX``."""

import sys
from pathlib import Path

import uvicorn

from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings

if __name__ == "__main__":
    home, port, prefix = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    settings = EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
        id_prefix=prefix,
        inbox_dir=home / "inbox",
        session_check_s=0.5,
    )
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="warning")
