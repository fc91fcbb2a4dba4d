from gateway.db import METADATA
from service_kit.migrations import run_env

run_env(METADATA)
