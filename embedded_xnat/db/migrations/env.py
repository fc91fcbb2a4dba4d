from embedded_xnat.db import METADATA
from service_kit.migrations import run_env

run_env(METADATA)
