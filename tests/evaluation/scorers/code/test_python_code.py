"""The scorer that runs a suite's Python, with real child processes."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.aggregate import metric_scores
from promptuary.evaluation.scorers.code.code_process import PROCESS_LIMIT, CodeFailed, CodeProcess
from promptuary.evaluation.scorers.code.code_source import CodeSource
from promptuary.evaluation.scorers.code.python_code import CodeConfig, PythonCode
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, WeightedScore, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid

pytestmark = pytest.mark.process

PROCESS_DEADLINE = 60.0
SAMPLE = ScorerInput(
    Case("c", {"city": "Paris"}, "Paris", metadata={"kind": "city"}), "Paris.", ({"role": "user", "content": "Where?"},)
)
RETURN_PID = "import os\nreturn {'pass': True, 'reason': str(os.getpid())}"


async def no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("these scorers need no judge")


def score(value: Any, *outputs: str, scorer_type: str = "python", **spec: Any) -> list[Score]:
    """Score outputs, one after the other, by one scorer."""
    closing: list[Callable[[], None]] = []
    dependencies = ScorerDependencies(embed=list, ask=no_judge, code=True, closing=closing.append)
    scorer = build_scorer(ScorerSpec.model_validate({"type": scorer_type, "value": value, **spec}), dependencies)

    async def score_all() -> list[Score]:
        samples = [ScorerInput(SAMPLE.case, output, SAMPLE.messages) for output in outputs or (SAMPLE.output,)]
        return [await run_scorer(scorer, sample) for sample in samples]

    try:
        return asyncio.run(score_all())
    finally:
        for close in closing:
            close()


def has_ended(pid: int) -> bool:
    """Wait until a process has ended; a zombie, which only waits to be collected, has."""
    deadline = time.monotonic() + PROCESS_DEADLINE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("code", "passed", "points"),
    [
        ("output == 'Paris.'", True, 1.0),
        ("context['vars']['city'] in output", True, 1.0),
        ("context['test']['expected'] == output", False, 0.0),
        ("len(output) / 12", True, 0.5),
        ("0", False, 0.0),
        ("'true'", True, 1.0),
        ("{'pass': False, 'score': 0.5, 'reason': 'half'}", False, 0.5),
        ("{'pass_': True}", True, 1.0),
        ("{'pass': True}", True, 1.0),
        ("json.dumps({'pass': True, 'score': 0.25})", True, 0.25),
        ("import re\nif re.search('P', output):\n  return True\nreturn False", True, 1.0),
        ("  words = output.split()\n  return len(words) == 1", True, 1.0),
        ("def get_assert(output, context):\n    return context['prompt'] == 'Where?'", True, 1.0),
    ],
)
def test_code_is_an_expression_a_body_or_a_module(code: str, passed: bool | None, points: float | None) -> None:
    result = score(code)[0]
    assert (result.passed, result.score) == (passed, points)


def test_named_scores_are_metrics_of_their_own() -> None:
    result = score("{'pass': True, 'score': 0.5, 'named_scores': {'tone': 0.25, 'length': 1}}")[0]
    assert metric_scores([WeightedScore(result, 2.0, "python")]) == {"python": 0.5, "tone": 0.25, "length": 1.0}


def test_a_files_code_is_run_by_the_name_of_its_function() -> None:
    value = {
        "file": "check.py",
        "function": "check",
        "code": "def check(output, context):\n    return context['config']['least'] < 1\n",
    }
    assert score(value, config={"least": 0})[0].passed


@pytest.mark.parametrize(
    ("code", "scorer_type", "threshold", "passed", "points"),
    [
        ("0.5", "python", 0.5, True, 0.5),
        ("0.5", "python", 0.6, False, 0.5),
        ("{'pass': True, 'score': 0.5}", "python", 0.6, False, 0.5),
        ("{'pass': False, 'score': 0.5}", "python", 0.1, False, 0.5),
        ("True", "not-python", None, False, 0.0),
        ("0.5", "not-python", None, False, 0.5),
        ("0.5", "not-python", 0.6, True, 0.5),
        ("{'pass': False, 'score': 0.2}", "not-python", None, True, 0.2),
    ],
)
def test_a_threshold_decides_on_scores_and_not_inverts_the_verdict(
    code: str, scorer_type: str, threshold: Any, passed: bool, points: float
) -> None:
    result = score(code, scorer_type=scorer_type, threshold=threshold)[0]
    assert (result.passed, result.score) == (passed, points)


@pytest.mark.parametrize("scorer_type", ["python", "not-python"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("None", "must return"),
        ("float('nan')", "must return"),
        ("float('inf')", "must return"),
        ("2", "must return"),
        ("-0.5", "must return"),
        ("[1]", "must return"),
        ("'perhaps'", "must return"),
        ("{'score': 1}", "must return"),
        ("{'pass': 'yes', 'score': 1}", "must return"),
        ("{'pass': True, 'score': 7}", "must return"),
        ("{'pass': True, 'namedScores': {'x': 2}}", "must return"),
        ("{'pass': True, 'namedScores': {'': 1}}", "must return"),
        ("object()", "no bool, number or dictionary"),
        ("import os\nos._exit(0)", "process ended"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "process ended"),
        ("'x' * 2_000_000", "process ended, or answered something else"),
        ("'x' * 8 * 1024**3", "MemoryError"),
    ],
)
def test_an_invalid_result_is_an_error_that_not_does_not_invert(code: str, scorer_type: str, message: str) -> None:
    first, second = score(code, "a", "b", scorer_type=scorer_type)
    assert (first.passed, first.score) == (None, None)
    assert message in str(first.error)
    assert second == first


def test_code_that_ended_its_process_runs_again_for_the_next_output() -> None:
    first, second = score("import os\nif output == 'a':\n  os._exit(1)\nreturn True", "a", "b")
    assert (first.passed, second.passed) == (None, True)


def test_a_module_that_cannot_be_run_is_an_error_for_every_output() -> None:
    results = score("import nothing_of_this_name\n\ndef get_assert(output, context):\n    return True", "a", "b")
    assert ["ModuleNotFoundError" in str(result.error) for result in results] == [True, True]


def test_code_keeps_its_state_between_outputs_and_can_print() -> None:
    code = "seen = []\n\ndef get_assert(output, context):\n    print('{}')\n    seen.append(output)\n    return len(seen) / 10"
    assert [result.score for result in score(code, "a", "b", "c")] == [0.1, 0.2, 0.3]


def test_code_gets_no_secrets_and_none_of_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    code = (
        "import os, sys\n"
        "named = sorted(os.environ)\n"
        "mine = [name for name in sys.modules if name.startswith('promptuary')]\n"
        "return {'pass': True, 'reason': repr((named, mine, sys.stdin.read(), sys.flags.isolated))}"
    )
    assert score(code)[0].reason == "(['HOME', 'LANG', 'PATH', 'TMPDIR'], [], '', 1)"


class ManualTimer:
    """A timer that expires when the test calls `expire`."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def __call__(self, seconds: float, callback: Callable[[], None]) -> "ManualTimer":
        self.callbacks.append(callback)
        return self

    def start(self) -> None:
        """Wait for the test."""

    def cancel(self) -> None:
        """Ignore the call."""

    def join(self) -> None:
        """Ignore the call."""

    def expire(self) -> None:
        """End the time of the last call."""
        self.callbacks[-1]()


def test_code_that_hangs_is_killed_with_the_processes_it_started(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    os.mkfifo(started)
    code = (
        "import subprocess, sys, threading\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "threading.Event().wait()"
    )
    timer = ManualTimer()
    process = CodeProcess(CodeSource.parse(code), 30, timer)

    async def expire_after_the_start() -> int:
        call = asyncio.create_task(process.call("x", {}))
        pid = int(await asyncio.to_thread(started.read_text))
        timer.expire()
        with pytest.raises(CodeFailed, match="no answer within 30 seconds"):
            await call
        return pid

    assert has_ended(asyncio.run(expire_after_the_start()))


def test_a_call_is_limited_by_a_timer_of_its_own() -> None:
    process = CodeProcess(CodeSource.parse("import threading\nthreading.Event().wait()"), seconds=0.01)
    with pytest.raises(CodeFailed, match=r"no answer within 0\.01 seconds"):
        asyncio.run(process.call("x", {}))


def test_a_cancelled_call_kills_its_process(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    os.mkfifo(started)
    code = f"import os, threading\nopen({str(started)!r}, 'w').write(str(os.getpid()))\nthreading.Event().wait()"
    process = CodeProcess(CodeSource.parse(code), seconds=600)

    async def cancel_after_the_start() -> int:
        call = asyncio.create_task(process.call("x", {}))
        pid = int(await asyncio.to_thread(started.read_text))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return pid

    assert has_ended(asyncio.run(cancel_after_the_start()))


def test_a_process_that_is_closed_during_a_call_is_an_error(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    os.mkfifo(started)
    code = f"import os, threading\nopen({str(started)!r}, 'w').write(str(os.getpid()))\nthreading.Event().wait()"
    process = CodeProcess(CodeSource.parse(code), seconds=600)

    async def close_after_the_start() -> None:
        call = asyncio.create_task(process.call("x", {}))
        await asyncio.to_thread(started.read_text)
        process.close()
        with pytest.raises(CodeFailed, match="process ended"):
            await call

    asyncio.run(close_after_the_start())


def test_the_process_ends_with_its_scorer() -> None:
    process = CodeProcess(CodeSource.parse(RETURN_PID))
    pid = int(asyncio.run(process.call("x", {}))["reason"])
    del process
    gc.collect()
    assert has_ended(pid)


def test_of_many_codes_only_a_few_have_a_process_at_a_time() -> None:
    processes = [CodeProcess(CodeSource.parse(RETURN_PID)) for _ in range(PROCESS_LIMIT + 3)]

    async def call_in_turn() -> list[int]:
        return [int((await process.call("x", {}))["reason"]) for process in [*processes, processes[0]]]

    first, *others = asyncio.run(call_in_turn())
    assert has_ended(first)
    assert [Path(f"/proc/{pid}").exists() for pid in others].count(True) == PROCESS_LIMIT
    for process in processes:
        process.close()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is required"),
        ("  ", "is required"),
        (3, "is required"),
        ("output ==", "is no Python"),
        ("for", "is no Python"),
        ("file://check.py", "only a suite's file"),
        ("'{{expected}}' in output", "context\\['vars'\\]"),
        ("x" * 300_000, "more than"),
        ({"file": "x.py", "code": "x"}, "file, function and code"),
    ],
)
def test_code_that_cannot_be_run_is_an_error_of_the_suite(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScorerSpec.model_validate({"type": "python", "value": value})


def test_code_is_not_run_where_the_operator_does_not_allow_it() -> None:
    with pytest.raises(Invalid, match="PROMPTUARY_CODE_SCORERS"):
        build_scorer(ScorerSpec.model_validate({"type": "python", "value": "True"}), ScorerDependencies(list, no_judge))


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["pass", "score", "reason", "x"]), inner, max_size=4)
    ),
    max_leaves=5,
)


@given(returned=VALUES, threshold=st.none() | st.floats(0, 1))
def test_not_inverts_any_verdict_and_no_error(returned: Any, threshold: float | None) -> None:
    def verdict(inverse: bool) -> bool | None:
        process = CodeProcess(CodeSource.parse("True"))
        try:
            return PythonCode("code", 1.0, inverse, threshold, CodeConfig(), process).parse(returned).passed
        except CodeFailed:
            return None

    plain, inverted = verdict(False), verdict(True)
    assert inverted is (None if plain is None else not plain)
