"""Alembic environment of the governor."""

from service_kit.migrations import run_env
from study_governor.db.tables import Base

run_env(Base.metadata)
