"""A child process kept running: real processes, short ones."""

import asyncio
import os
import signal
import sys

import pytest

from deployments.errors import ProcessGaveUp, SettingsRefused
from deployments.launcher.home import Home, read_pid
from deployments.launcher.plan import ProcessSpec
from deployments.launcher.process import KeptProcess, last_line_of
from deployments.launcher.restarts import RestartPolicy

pytestmark = pytest.mark.slow  # it starts real processes or associations

SLEEPS = "import time; time.sleep(60)"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.make()
    return home


def kept(home, script, **policy):
    spec = ProcessSpec(name="child", title="The child", command=(sys.executable, "-c", script))
    return KeptProcess(spec, home, policy=RestartPolicy(first_delay_s=0.01, **policy))


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_process_is_started_again_with_a_new_pid_file(home):
    async def scenario():
        process = kept(home, SLEEPS)
        keeping = asyncio.create_task(process.keep_running())
        await until(lambda: read_pid(home.pid_file("child")))
        first = process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: read_pid(home.pid_file("child")) not in {None, first})
        second = process.pid
        await process.stop(grace_s=5)
        await keeping
        assert not alive(second)
        assert not home.pid_file("child").exists()
        assert process.starts == 2

    asyncio.run(scenario())


def test_a_process_that_dies_again_and_again_is_given_up_with_its_last_words(home):
    process = kept(home, "import sys; sys.exit('set COHORTFLOW_HOME')", most_fast_deaths=3)
    with pytest.raises(ProcessGaveUp) as caught:
        asyncio.run(process.keep_running())
    assert "The child ended 3 times" in str(caught.value)
    assert "set COHORTFLOW_HOME" in str(caught.value)
    assert str(home.log("child")) in str(caught.value)


def test_a_process_whose_settings_are_wrong_is_not_tried_again(home):
    process = kept(
        home, "import sys; sys.stderr.write('The child cannot start: COHORTFLOW_HOME is missing.'); sys.exit(7)"
    )
    with pytest.raises(SettingsRefused, match="COHORTFLOW_HOME is missing") as caught:
        asyncio.run(process.keep_running())
    assert str(home.log("child")) in str(caught.value)
    assert process.starts == 1


def test_a_process_that_ignores_sigterm_is_killed_with_its_own_children(home):
    script = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )

    async def scenario():
        process = kept(home, script)
        keeping = asyncio.create_task(process.keep_running())
        await until(lambda: last_line_of(home.log("child")))
        grandchild = int(last_line_of(home.log("child")))
        await process.stop(grace_s=0.3)
        await keeping
        await until(lambda: not alive(grandchild))

    asyncio.run(scenario())


def test_what_a_dead_process_left_behind_is_ended_before_the_next_start(home):
    script = (
        "import os, signal, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n"
        "print(child.pid, flush=True); time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = kept(home, script, most_fast_deaths=1)
    with pytest.raises(ProcessGaveUp):
        asyncio.run(process.keep_running())
    asyncio.run(until(lambda: not alive(int(last_line_of(home.log("child"))))))
