from service_kit.migrations import run_env
from task_supervisor.db.tables import Base

run_env(Base.metadata)
