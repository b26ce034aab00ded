"""Workers' names, by which others see whether their process is still there: with real processes."""

import os
import subprocess
import sys

import pytest

from promptuary.evaluation.runs.worker_process import has_ended, parse_worker_name, worker_name

pytestmark = pytest.mark.process


def name_of(pid: int) -> str:
    """Return the name of a worker in another process of this machine."""
    import promptuary.evaluation.runs.worker_process as module

    own = worker_name().split(":")[-1].split(".")
    return f"host:{pid}:{module._start_time(pid)}.{own[1]}.ab12"


def test_a_worker_in_this_process_has_not_ended() -> None:
    assert not has_ended(worker_name())
    process = parse_worker_name(worker_name())
    assert process is not None
    assert process.pid == os.getpid()


def test_a_killed_worker_has_ended_before_and_after_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = name_of(child.pid)
        assert not has_ended(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(name)
        child.wait()
        assert has_ended(name)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    host, pid, rest = worker_name().rsplit(":", 2)
    _, machine, random = rest.split(".")
    assert has_ended(f"{host}:{pid}:1.{machine}.{random}")


def test_nothing_is_known_of_workers_elsewhere() -> None:
    host, _, rest = worker_name().rsplit(":", 2)
    started, _, random = rest.split(".")
    assert not has_ended(f"{host}:999999999:{started}.another.{random}")


@pytest.mark.parametrize("name", ["host:999999999:ab12", "w", "", "a.b.c", "host:x:1.2.3", None])
def test_nothing_is_known_of_names_in_another_form(name: str | None) -> None:
    assert not has_ended(name)
