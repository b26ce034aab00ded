"""Several programs run as one: started together, awaited until each answers, stopped together.

Only processes that were started here are ever stopped, by their pid. The output of each goes to its own log file.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from promptuary.prompt.errors import PromptuaryError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_STARTING = 503
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotStarted(PromptuaryError):
    """A program ended, or did not answer in time; its log shows why."""

    code = "unavailable"


@dataclass(frozen=True)
class Program:
    """A program to run: its command, additions to its environment, and the URL that answers once it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_at: str | None = None


@dataclass(frozen=True)
class RunningProgram:
    """A program that was started, and its log file."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise NotStarted if the program has ended."""
        code = self.process.poll()
        if code is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
            raise NotStarted(f"{self.program.name} ended with {code}; its last line: {last[0][:300]} (whole log: {self.log})")

    def wait_until_ready(self, seconds: float, others: Sequence["RunningProgram"] = ()) -> None:
        """Wait until the program's URL answers, with any status but 503, which a service sends while it starts.

        Raises:
            NotStarted: when it does not answer in time, or when it or one of the others ends before.
        """
        deadline = time.monotonic() + seconds
        while self.program.ready_at is not None:
            for program in (self, *others):
                program.check()
            if _is_ready(self.program.ready_at):
                return
            if time.monotonic() > deadline:
                raise NotStarted(f"{self.program.name} is not ready after {seconds:.0f} s (log: {self.log})")
            time.sleep(0.1)


def _is_ready(url: str) -> bool:
    import httpx  # takes longer to import than most commands, which start no program

    try:
        return httpx.get(url, timeout=2.0).status_code != _STARTING
    except httpx.HTTPError:
        return False


@contextmanager
def run_programs(programs: Sequence[Program], logs: Path) -> Iterator[list[RunningProgram]]:
    """Start the programs, wait until all are ready, and stop them at the end, in reverse order.

    Programs with a `ready_at` start first, in parallel; the others start when those are ready. SIGTERM and the end of the
    terminal stop them as Ctrl-C does, also while they start; a signal during the stop changes nothing.
    """
    logs.mkdir(parents=True, exist_ok=True)
    started: list[RunningProgram] = []
    ending = _SignalGuard()
    handled = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ending.note) for number in handled}
    try:
        for waited_for in (True, False):
            for program in programs:
                if (program.ready_at is not None) == waited_for:
                    with ending.deferred():
                        started.append(_start(program, logs / f"{program.name}.log"))
            for running in started:
                running.wait_until_ready(START_SECONDS, started)
        yield started
    finally:
        with suppress(KeyboardInterrupt), ending.deferred():
            _stop(started)
        for number, handler in before.items():
            signal.signal(number, handler)


class _SignalGuard:
    """Turns a signal into a KeyboardInterrupt, as Ctrl-C does, but never while a program is half started or half stopped."""

    def __init__(self) -> None:
        self._busy = self._due = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if not self._busy:
            raise KeyboardInterrupt
        self._due = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Run the block to its end; a signal that arrives meanwhile takes effect then."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._due:
            raise KeyboardInterrupt


def _start(program: Program, log: Path) -> RunningProgram:
    with log.open("ab") as output:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.environment},
            start_new_session=True,  # Ctrl-C reaches only this process, which then stops the others in order
        )
    return RunningProgram(program, process, log)


def _stop(started: Sequence[RunningProgram]) -> None:
    for running in reversed(started):
        if running.process.poll() is None:
            running.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for running in started:
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(max(0.1, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)  # children that it left behind belong to its session, too
        running.process.wait()


def wait_until_stopped(started: Sequence[RunningProgram]) -> None:
    """Wait for Ctrl-C or SIGTERM; raise NotStarted if a program ends by itself before."""
    with stopped_by_signal() as stopped:
        while not stopped.is_set():
            for running in started:
                running.check()
            time.sleep(0.3)


@contextmanager
def stopped_by_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set.

    The handler runs in the main thread, which therefore must not wait for the event itself: it could have the event's lock.
    """
    stopped = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(name: str, host: str, port: int, setting: str) -> None:
    """Raise NotStarted for a port that another process uses.

    Raises:
        NotStarted: with the setting to change.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise NotStarted(
                f"{name} cannot listen on {host}:{port} ({error.strerror}); set {setting} to another port"
            ) from None
