"""Suites run from Python: by definition, by file, in a running event loop, with their figures and their page."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.evaluation import EvaluationResult, evaluate
from promptuary.prompt.errors import Invalid, PromptuaryError
from promptuary.statistics.verdict import Verdict

PROMPT = {"type": "text", "template": "{{text}}"}
CASES = [{"vars": {"text": text}, "expected": "yes"} for text in ("yes", "yes", "<script>no</script>", "yes")]
EXACT = {"type": "equals", "value": "{{expected}}", "name": "exact"}


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own, and no server."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PROMPTUARY_URL", raising=False)
    return tmp_path


@pytest.fixture
def command(run: Any) -> Any:
    """The command line, which this module's own `run` would hide."""
    return run


def run(**changes: Any) -> EvaluationResult:
    fields: dict[str, Any] = {"prompt": PROMPT, "cases": CASES, "models": ["echo:"], "scorers": [EXACT], "name": "words"}
    result: EvaluationResult = evaluate(**fields | changes)
    return result


def test_arguments_are_a_suite_with_figures_and_a_verdict() -> None:
    result = run(gate=[{"metric": "exact", "at_least": 0.1}])
    assert (result.verdict, result.passed) == (Verdict.PASS, True)
    interval = result.interval("exact")
    assert interval is not None
    assert (interval.estimate, interval.n) == (0.75, 4)
    assert interval.low < 0.75 < interval.high
    assert [each.passed for each in result.results] == [True, True, False, True]
    assert "verdict: pass" in str(result)


def test_the_page_in_a_notebook_is_escaped_and_needs_no_network() -> None:
    page = run()._repr_html_()
    assert page.startswith('<iframe sandbox="" srcdoc="')
    assert "<script" not in page
    assert page.count("<") == 2
    assert "&lt;svg" in page
    assert "default-src &#x27;none&#x27;" in page


def test_a_suite_runs_where_an_event_loop_runs() -> None:
    async def cell() -> Verdict | None:
        return run().verdict

    assert asyncio.run(cell()) is Verdict.NO_GATE


def test_a_file_runs_as_on_the_command_line(data_folder: Path) -> None:
    result = run(gate=[{"metric": "exact", "every": True}])
    assert (result.verdict, result.passed) == (Verdict.REGRESSION, False)
    (data_folder / "cases.jsonl").write_text("".join(json.dumps({"id": str(n), **case}) + "\n" for n, case in enumerate(CASES)))
    suite = {"name": "filed", "prompt": "words", "dataset": "cases.jsonl", "models": ["echo:"], "scorers": [EXACT]}
    path = data_folder / "suite.yaml"
    path.write_text(json.dumps(suite))
    assert evaluate(path, repeats=2).run.done == 8
    assert evaluate("filed").run.done == 4
    assert evaluate({**suite, "dataset": str(data_folder / "cases.jsonl")}, repeats=3).run.done == 12


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Handle Ctrl-C as a shell's foreground process does; it is ignored in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.process
@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_stops_the_run_that_a_server_does(
    served: Callable[..., Any], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served("editor")
    sent = threading.Event()

    def send_interrupt(_: float) -> None:
        if not sent.is_set():
            sent.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.01)

    monkeypatch.setattr(suite_run, "time", SimpleNamespace(sleep=send_interrupt))
    with pytest.raises(KeyboardInterrupt):
        run()
    (stored,) = command("eval", "list", "--json").json
    assert stored["state"] == "interrupted"


def test_a_run_that_this_process_cannot_execute_is_left_to_nobody_else(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bool:
        raise OSError("no space is left")

    monkeypatch.setattr(LocalExecution, "execute", fail)
    with pytest.raises(OSError, match="no space"):
        run()
    (stored,) = command("eval", "list", "--json").json
    assert stored["state"] == "interrupted"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: run(scorers=[{"type": "equal", "value": "a"}]), "'equal' is not a known scorer"),
        (lambda: run(prompt={"type": "text", "template": 5}), "template"),
        (lambda: evaluate("words", gate=[]), "goes with a suite that is given as a mapping"),
        (lambda: evaluate("nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_suite_that_cannot_be_run_is_an_error_with_its_reason(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PromptuaryError) as refused:
        call()
    errors = getattr(refused.value, "field_errors", ())
    assert words in " ".join([str(refused.value), *map(str, errors)])
    assert isinstance(refused.value, Invalid)
