from service_kit.migrations import run_env
from study_governor.db import METADATA

run_env(METADATA)
