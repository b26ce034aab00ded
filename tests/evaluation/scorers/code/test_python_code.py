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
from promptuary.evaluation.scorers.catalog import build_scorer
from promptuary.evaluation.scorers.code.python_code import PROCESS_LIMIT, CodeFailed, CodeProcess, CodeSource, PythonCode
from promptuary.evaluation.scorers.score import Score, ScorerInput, WeightedScore, run_scorer
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid

SAMPLE = ScorerInput(
    Case("c", {"city": "Paris"}, "Paris", metadata={"kind": "city"}), "Paris.", ({"role": "user", "content": "Where?"},)
)


async def no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("no judge is to be asked")


def score(value: Any, *outputs: str, kind: str = "python", **spec: Any) -> list[Score]:
    """Score outputs, one after the other, by one scorer."""
    closing: list[Callable[[], None]] = []
    parts = ScorerDependencies(embed=list, ask=no_judge, code=True, closing=closing.append)
    scorer = build_scorer(ScorerSpec.model_validate({"type": kind, "value": value, **spec}), parts)

    async def all_of_them() -> list[Score]:
        samples = [ScorerInput(SAMPLE.case, output, SAMPLE.messages) for output in outputs or (SAMPLE.output,)]
        return [await run_scorer(scorer, sample) for sample in samples]

    try:
        return asyncio.run(all_of_them())
    finally:
        for close in closing:
            close()


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
    found = score(code)[0]
    assert (found.passed, found.score) == (passed, points)


def test_named_scores_are_metrics_of_their_own() -> None:
    found = score("{'pass': True, 'score': 0.5, 'named_scores': {'tone': 0.25, 'length': 1}}")[0]
    assert metric_scores([WeightedScore(found, 2.0, "python")]) == {"python": 0.5, "tone": 0.25, "length": 1.0}


def test_a_file_that_was_carried_is_run_by_the_name_of_its_function() -> None:
    value = {
        "file": "check.py",
        "function": "check",
        "code": "def check(output, context):\n    return context['config']['least'] < 1\n",
    }
    assert score(value, config={"least": 0})[0].passed


@pytest.mark.parametrize(
    ("code", "kind", "threshold", "passed", "points"),
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
def test_a_threshold_decides_on_scores_and_not_turns_the_verdict(
    code: str, kind: str, threshold: Any, passed: bool, points: float
) -> None:
    found = score(code, kind=kind, threshold=threshold)[0]
    assert (found.passed, found.score) == (passed, points)


@pytest.mark.parametrize("kind", ["python", "not-python"])
@pytest.mark.parametrize(
    ("code", "words"),
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
def test_what_is_no_score_is_an_error_and_is_not_turned(code: str, kind: str, words: str) -> None:
    broken, again = score(code, "a", "b", kind=kind)
    assert (broken.passed, broken.score) == (None, None)
    assert words in str(broken.error)
    assert again == broken


def test_code_that_ended_its_process_does_not_end_the_scorer() -> None:
    first, second = score("import os\nif output == 'a':\n  os._exit(1)\nreturn True", "a", "b")
    assert (first.passed, second.passed) == (None, True)


def test_a_module_that_cannot_be_run_is_an_error_for_every_output() -> None:
    found = score("import nothing_of_this_name\n\ndef get_assert(output, context):\n    return True", "a", "b")
    assert ["ModuleNotFoundError" in str(one.error) for one in found] == [True, True]


def test_code_keeps_what_it_made_between_outputs_and_may_print() -> None:
    code = "seen = []\n\ndef get_assert(output, context):\n    print('{}')\n    seen.append(output)\n    return len(seen) / 10"
    assert [one.score for one in score(code, "a", "b", "c")] == [0.1, 0.2, 0.3]


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


def test_code_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    code = (
        "import subprocess, sys, threading\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "threading.Event().wait()"
    )
    for seconds in (1, 4, 16, 64):  # until the machine is fast enough for it to begin in time
        child = CodeProcess(CodeSource.of(code), seconds)
        with pytest.raises(CodeFailed, match=f"no answer within {seconds} seconds"):
            asyncio.run(child.call("x", {}))
        if started.exists() and started.read_text():
            break
    assert gone(int(started.read_text()))


def test_a_call_that_is_cancelled_ends_at_once(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    os.mkfifo(started)
    code = f"import os, threading\nopen({str(started)!r}, 'w').write(str(os.getpid()))\nthreading.Event().wait()"
    child = CodeProcess(CodeSource.of(code), seconds=600)

    async def cancelled() -> int:
        call = asyncio.create_task(child.call("x", {}))
        pid = int(await asyncio.to_thread(started.read_text))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return pid

    assert gone(asyncio.run(cancelled()))


def test_the_process_ends_with_its_scorer() -> None:
    child = CodeProcess(CodeSource.of("import os\nreturn {'pass': True, 'reason': str(os.getpid())}"))
    pid = int(asyncio.run(child.call("x", {}))["reason"])
    del child
    gc.collect()
    assert gone(pid)


def test_of_many_codes_few_have_a_process_at_a_time() -> None:
    children = [
        CodeProcess(CodeSource.of("import os\nreturn {'pass': True, 'reason': str(os.getpid())}"))
        for _ in range(PROCESS_LIMIT + 3)
    ]

    async def in_turn() -> list[int]:
        return [int((await child.call("x", {}))["reason"]) for child in [*children, children[0]]]

    first, *others = asyncio.run(in_turn())
    assert gone(first)
    assert [Path(f"/proc/{pid}").exists() for pid in others].count(True) == PROCESS_LIMIT
    for child in children:
        child.close()


@pytest.mark.parametrize(
    ("value", "words"),
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
def test_code_that_cannot_be_run_is_told_when_the_suite_is_read(value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ScorerSpec.model_validate({"type": "python", "value": value})


def test_javascript_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValidationError, match="python scorer, or let a webhook answer"):
        ScorerSpec.model_validate({"type": "javascript", "value": "output.length > 1"})


def test_code_is_not_run_where_nobody_allowed_it() -> None:
    with pytest.raises(Invalid, match="PROMPTUARY_CODE_SCORERS"):
        build_scorer(
            ScorerSpec.model_validate({"type": "python", "value": "True"}), ScorerDependencies(embed=list, ask=no_judge)
        )


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["pass", "score", "reason", "x"]), inner, max_size=4)
    ),
    max_leaves=5,
)


@given(found=VALUES, threshold=st.none() | st.floats(0, 1))
def test_whatever_code_returns_not_turns_the_verdict_or_both_are_errors(found: Any, threshold: float | None) -> None:
    def read(inverse: bool) -> bool | None:
        try:
            return PythonCode("code", 1.0, inverse, threshold, None, CodeProcess(CodeSource.of("True"))).read(found).passed
        except CodeFailed:
            return None

    plain, turned = read(False), read(True)
    assert turned is (None if plain is None else not plain)


def gone(pid: int) -> bool:
    """Wait until a process has ended; one that only waits to be collected by whoever adopted it has."""
    for _ in range(3000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False
