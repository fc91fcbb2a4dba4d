"""Entry of every process that the launcher starts: ``python -m deployments.launcher.child NAME [--port N]``.

It ties the process to the launcher before anything else, so that even a launcher killed with SIGKILL leaves nothing
behind. Imports the standard library until the process's own code is entered.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys

LAUNCHER_PID = "COHORTFLOW_LAUNCHER_PID"
_PR_SET_PDEATHSIG = 1


def bind_to_launcher(launcher_pid: int) -> None:
    """Die with the launcher: the kernel sends SIGKILL when it ends (Linux; elsewhere its next start clears up).

    A launcher that ended before this call is noticed by the parent's id, which is no longer its own.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != launcher_pid:
        sys.exit("The launcher has ended.")


def main() -> None:
    """Run one process of Cohortflow as a child of the launcher."""
    parser = argparse.ArgumentParser(prog="python -m deployments.launcher.child", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--port", type=int)
    parser.add_argument("--nice", type=int, default=0)
    arguments = parser.parse_args()
    if launcher_pid := os.environ.get(LAUNCHER_PID):
        bind_to_launcher(int(launcher_pid))
    os.nice(arguments.nice)

    sys.modules["httpx._main"] = None  # type: ignore[assignment] # its command line would import rich: 0.3 s a process
    from deployments.errors import DeploymentError
    from deployments.logs import configure_logging
    from deployments.processes import enter

    configure_logging(os.environ.get("COHORTFLOW_LOG_LEVEL", "INFO"))
    try:
        enter(arguments.name, host="127.0.0.1", port=arguments.port)
    except DeploymentError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
