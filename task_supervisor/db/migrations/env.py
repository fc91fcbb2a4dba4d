from service_kit.migrations import run_env
from task_supervisor.db import METADATA

run_env(METADATA)
