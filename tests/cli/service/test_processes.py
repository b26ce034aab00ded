"""Programs started together and stopped together, whatever ends them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promptuary.cli.service import processes
from promptuary.cli.service.processes import (
    NotStarted,
    Program,
    check_port,
    free_port,
    run_programs,
    stopped_by_signal,
    wait_until_stopped,
)

pytestmark = pytest.mark.process

SERVE = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""
SLEEP = "import time; time.sleep(600)"
PARENT = f"""
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring", flush=True)
time.sleep(600)
"""
# Runs programs as `up` does. The second program never becomes ready, so the command stays in its start.
WHOLE = f"""
import sys
from pathlib import Path
from promptuary.cli.service.processes import Program, run_programs, wait_until_stopped
sleep = [sys.executable, "-c", {SLEEP!r}]
programs = [Program("sleeping", sleep), Program("never", sleep, {{}}, sys.argv[2])]
with run_programs(programs[: int(sys.argv[3])], Path(sys.argv[1])) as started:
    print("started", flush=True)
    wait_until_stopped(started)
print("stopped", flush=True)
"""


def python(name: str, code: str, *arguments: str, ready_at: str | None = None) -> Program:
    return Program(name, [sys.executable, "-c", code, *arguments], {"SOME_VARIABLE": "set"}, ready_at)


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie, which has ended and has not been waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def becomes_true(condition: object, seconds: float = 20.0) -> bool:
    """Evaluate a condition until it is true; return False after the time limit."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]  # any callable
            return True
        time.sleep(0.01)
    return False


def test_programs_run_with_their_environment_once_all_are_ready_and_log_to_files(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    speaking = python("speaking", "import os; print(os.environ['SOME_VARIABLE'], flush=True);" + SLEEP)
    with run_programs([speaking, python("serving", SERVE, str(port), ready_at=url)], tmp_path / "logs") as started:
        assert sorted(running.program.name for running in started) == ["serving", "speaking"]
        with socket.create_connection(("127.0.0.1", port)):
            pass
        assert becomes_true(lambda: (tmp_path / "logs" / "speaking.log").read_text() == "set\n")
        pids = [running.process.pid for running in started]
        assert all(map(alive, pids))
    assert not any(map(alive, pids))


def test_a_program_that_ends_early_is_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    broken = python("broken", "print('first'); print('no such option'); raise SystemExit(7)", ready_at="http://127.0.0.1:9/")
    started: list[subprocess.Popen[bytes]] = []
    start = processes._start
    with pytest.MonkeyPatch.context() as patched:

        def start_and_record(program: Program, log: Path) -> processes.RunningProgram:
            running = start(program, log)
            started.append(running.process)
            return running

        patched.setattr(processes, "_start", start_and_record)
        with pytest.raises(NotStarted, match="broken ended with 7; its last line: no such option") as caught:
            with run_programs([python("other", SLEEP, ready_at="http://127.0.0.1:9/"), broken], tmp_path):
                pytest.fail("it is not ready")
    assert str(tmp_path / "broken.log") in str(caught.value)
    assert len(started) == 2
    assert not any(alive(process.pid) for process in started)


def test_a_program_that_ends_later_is_named(tmp_path: Path) -> None:
    with run_programs([python("short", "raise SystemExit(0)")], tmp_path) as started:
        with pytest.raises(NotStarted, match="short ended with 0; its last line: nothing"):
            wait_until_stopped(started)


def test_a_program_that_never_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.2)
    with pytest.raises(NotStarted, match="silent is not ready after 0 s"):
        with run_programs([python("silent", SLEEP, ready_at="http://127.0.0.1:9/")], tmp_path):
            pytest.fail("it is not ready")


def test_the_children_of_a_program_are_stopped_with_it(tmp_path: Path) -> None:
    with run_programs([python("parent", PARENT)], tmp_path):
        assert becomes_true(lambda: (tmp_path / "parent.log").read_text().endswith("\n"))
        child = int((tmp_path / "parent.log").read_text())
        assert alive(child)
    assert becomes_true(lambda: not alive(child))


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    with run_programs([python("stubborn", STUBBORN)], tmp_path) as (running,):
        assert becomes_true(lambda: (tmp_path / "stubborn.log").read_text() == "ignoring\n")
    assert running.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting_and_is_as_before_afterwards(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with run_programs([python("sleeping", SLEEP)], tmp_path) as started:
        with stopped_by_signal() as stopped:
            os.kill(os.getpid(), number)
            assert stopped.wait(20)
    assert signal.getsignal(number) is before
    assert started[0].process.returncode is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("programs", [1, 2], ids=["while waiting", "while starting"])
def test_no_program_outlives_the_command_that_started_it(tmp_path: Path, number: signal.Signals, programs: int) -> None:
    arguments = [sys.executable, "-c", WHOLE, str(tmp_path), "http://127.0.0.1:9/", str(programs)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as command:
        assert command.stdout is not None
        log = tmp_path / ("never.log" if programs == 2 else "sleeping.log")
        if programs == 1:
            assert command.stdout.readline() == b"started\n"
        assert becomes_true(log.exists)
        assert becomes_true(lambda: bool(children(command.pid)))
        started = children(command.pid)
        command.send_signal(number)
        try:
            command.wait(20)
        finally:
            command.kill()
    assert not any(map(alive, started))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_error_for_a_port_in_use_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            NotStarted, match=f"the API cannot listen on 127.0.0.1:{port} .*; set PROMPTUARY_PORT to another port"
        ):
            check_port("the API", "127.0.0.1", port, "PROMPTUARY_PORT")
    check_port("the API", "127.0.0.1", port, "PROMPTUARY_PORT")


def test_the_error_for_an_address_of_another_machine_names_the_setting() -> None:
    with pytest.raises(NotStarted, match="PROMPTUARY_PORT"):
        check_port("the API", "192.0.2.1", 8400, "PROMPTUARY_PORT")
