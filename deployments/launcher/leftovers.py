"""Processes that an earlier launcher of this home left behind: looked for at each start. Imports this package only.

On Linux the kernel ends children with their launcher; this is for other systems, and for what escaped.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from deployments.launcher.home import read_pid
from deployments.launcher.process import kill_group

if TYPE_CHECKING:
    from deployments.launcher.home import Home

logger = logging.getLogger(__name__)


def end_leftovers(home: Home) -> int:
    """Kill processes named by old pid files that still belong to this home; give how many.

    A pid that meanwhile belongs to another program is left alone: the process must have been started as a child of a
    launcher on this very home.
    """
    import psutil

    ended = 0
    for pid_file in home.run.glob("*.pid"):
        pid = read_pid(pid_file)
        if pid_file == home.pid_file("up") or pid is None or pid == os.getpid():
            continue
        try:
            process = psutil.Process(pid)
            ours = process.environ().get("COHORTFLOW_HOME") == str(home.path)
            is_child = any("deployments.launcher.child" in word for word in process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            ours = is_child = False
        if ours and is_child:
            kill_group(pid)
            psutil.wait_procs([process], timeout=3)
            logger.warning("ended a process of an earlier start", extra={"child": pid_file.stem, "pid": pid})
            ended += 1
        pid_file.unlink(missing_ok=True)
    return ended
