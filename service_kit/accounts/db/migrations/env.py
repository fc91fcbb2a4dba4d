from service_kit.accounts.db import METADATA
from service_kit.migrations import run_env

run_env(METADATA)
