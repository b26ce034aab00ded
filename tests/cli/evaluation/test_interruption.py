"""Runs that a signal or a kill ends: a real command, a real model server, and what other processes find afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import SUITE, Run
from doubles.stub_model import Reaction, StubModelServer

Write = Callable[[str, str], Path]
# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = pytest.mark.process
CASES, ANSWERED, WAIT = 12, 5, 60.0


@pytest.fixture
def suite(write: Write, word: Path, run: Run, stub_model: StubModelServer) -> Path:
    """A suite of 12 cases under a model that answers the first 5 requests and no other."""
    stub_model.react = lambda number, body: Reaction(hang=True) if number >= ANSWERED else None
    prompt = {"type": "text", "template": "{{text}}", "model": {"name": "openai:stub"}, "labels": ["production"]}
    assert run("push", write("prompts/word.yaml", json.dumps(prompt))).code == 0
    cases = [{"id": f"c{number}", "vars": {"text": f"case {number}"}, "expected": "yes"} for number in range(CASES)]
    write("evals/words.jsonl", "".join(json.dumps(case) + "\n" for case in cases))
    text = SUITE.replace('"echo:"', '"openai:stub"') + "label: production\nconcurrency: 1\n"
    return write("evals/words.yaml", text)


class Command:
    """The command in a process of its own; its standard error is read line by line."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        command = [sys.executable, "-m", "promptuary.cli.main", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_for_line(self, start: str) -> None:
        """Read standard error up to a line that begins with a text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(start):
                return
        raise AssertionError(f"ended with {self.process.wait(WAIT)} before '{start}'")

    def end_by(self, number: int) -> tuple[int, str]:
        """Send a signal; return the exit code and the rest of standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=WAIT)
        return self.process.returncode, err


def wait_for_requests(stub_model: StubModelServer, number: int) -> None:
    while stub_model.requests < number:
        assert stub_model.request_received.wait(WAIT)
        stub_model.request_received.clear()


def newest_run(run: Run) -> Any:
    return run("eval", "list", "--json").json[0]


def worker_finds_work(data_dir: Path) -> bool:
    """Return whether a worker on the data directory would execute a run."""
    from promptuary.core.settings import read_settings
    from promptuary.worker.assembly import build_worker

    with build_worker(read_settings(data_dir=data_dir)) as worker:
        return worker.execution.lease("another worker") is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_keeps_what_was_answered(
    run: Run, suite: Path, stub_model: StubModelServer, data_dir: Path, number: int, tmp_path: Path
) -> None:
    command = Command("eval", "run", suite)
    wait_for_requests(stub_model, ANSWERED + 1)
    code, err = command.end_by(number)

    stopped = newest_run(run)
    assert code == 130
    assert (stopped["state"], stopped["done"], stopped["verdict"]) == ("interrupted", ANSWERED, None)
    assert err.splitlines()[-3:] == [
        f"words: the run {stopped['id']} is interrupted; its 5 of 12 results are kept, and nobody continues it unasked",
        f"  to continue it: promptuary eval run {suite} --resume {stopped['id']}",
        f"  to end it: promptuary eval cancel {stopped['id']}",
    ]
    assert not worker_finds_work(data_dir)
    assert stub_model.requests == ANSWERED + 1

    stub_model.react = lambda number, body: None
    resumed = run("eval", "run", suite, "--resume", stopped["id"], "--json", tmp_path / "run.json")
    assert resumed.code == 0, resumed.err
    assert len(json.loads((tmp_path / "run.json").read_text())["results"]) == CASES
    assert stub_model.requests == CASES + 1
    assert newest_run(run)["state"] == "finished"


def test_a_run_that_a_server_does_is_interrupted_there_and_can_be_ended(
    run: Run, served: Callable[[str], Mapping[str, str]], suite: Path, data_dir: Path
) -> None:
    served("author")
    command = Command("eval", "run", suite)
    command.wait_for_line("words: 0 of 12")
    code, err = command.end_by(signal.SIGINT)

    stopped = newest_run(run)
    assert (code, stopped["state"]) == (130, "interrupted")
    assert f"the run {stopped['id']} is interrupted; its 0 of 12 results are kept" in err
    assert not worker_finds_work(data_dir)
    assert run("eval", "cancel", stopped["id"]).out == f"words: the run {stopped['id']} is cancelled; its 0 results are kept\n"
    assert run("eval", "run", suite, "--resume", stopped["id"]).code == 3
    assert newest_run(run)["state"] == "cancelled"


def test_a_second_signal_waits_for_no_answer_and_later_suites_are_not_run(
    run: Run, suite: Path, write: Write, stub_model: StubModelServer, data_dir: Path
) -> None:
    later = write("evals/later.yaml", suite.read_text().replace("name: words", "name: later"))
    command = Command("eval", "run", suite, later)
    wait_for_requests(stub_model, ANSWERED + 1)
    command.process.send_signal(signal.SIGINT)
    code, err = command.end_by(signal.SIGINT)
    assert (code, err.splitlines()[-1]) == (130, f"  not run: {later}")
    assert [(stored["suite"], stored["state"]) for stored in run("eval", "list", "--json").json] == [("words", "interrupted")]
    assert not worker_finds_work(data_dir)


def test_a_killed_run_is_resumed_at_once_and_not_when_its_lease_ends(
    run: Run, suite: Path, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_LEASE_SECONDS", "3600")
    command = Command("eval", "run", suite)
    wait_for_requests(stub_model, ANSWERED + 1)
    command.end_by(signal.SIGKILL)
    killed = newest_run(run)
    assert killed["state"] == "running"

    stub_model.react = lambda number, body: None
    resumed = Command("eval", "run", suite, "--resume", killed["id"])
    _, err = resumed.process.communicate(timeout=WAIT)
    assert resumed.process.returncode == 0, err
    assert (newest_run(run)["state"], newest_run(run)["done"]) == ("finished", CASES)
