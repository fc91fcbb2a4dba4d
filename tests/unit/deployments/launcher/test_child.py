"""A child is tied to its launcher."""

import os
import signal
import subprocess
import sys
import time

import pytest

from deployments.launcher.ports import free_port

pytestmark = pytest.mark.slow  # it starts real processes

LAUNCHER = """
import os, subprocess, sys, time
code = "import os,sys,time; from deployments.launcher.child import bind_to_launcher; bind_to_launcher(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_ends_with_a_launcher_that_was_killed():
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True)
    with launcher.stdout:
        child = int(launcher.stdout.readline())
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{child}")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_whose_launcher_ended_before_it_began_ends_too():
    code = "from deployments.launcher.child import bind_to_launcher; bind_to_launcher(1 << 22)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "launcher has ended" in done.stderr


def test_wrong_settings_end_a_child_with_one_sentence():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COHORTFLOW_")}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.launcher.child", "embedded-xnat", "--port", str(free_port())],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 7
    assert "COHORTFLOW_XNAT_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
