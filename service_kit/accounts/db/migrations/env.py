from service_kit.accounts.db.tables import Base
from service_kit.migrations import run_env

run_env(Base.metadata)
