"""The scorer that runs the suite's own Python, in a process of its own; only where an operator allows it.

The process is no prison: the code can do what the user can whom the worker runs as. What it does not get is this program's
memory and environment, so no key and no setting; and it cannot hang, crash or fill the worker.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptuary.core.errors import Unavailable
from promptuary.evaluation.scorers.judge.judge import prompt_as_text
from promptuary.evaluation.scorers.score import METRIC, BaseScorer, Score, ScorerInput, WeightedScore
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies, ScorerType, validator_of
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

CODE_LIMIT = 256 * 1024
ANSWER_LIMIT = 1024 * 1024
CALL_SECONDS = 30.0
POLL_SECONDS = 0.05
PROCESS_LIMIT = 8
DEFAULT_FUNCTION = "get_assert"
_TAG = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
_CHILD = Path(__file__).with_name("code_child.py")


class CodeFailed(Unavailable):
    """A suite's own code raised, hung, ended its process, or gave what is no score."""

    code = "code_failed"


@dataclass(frozen=True)
class CodeSource:
    """The code of a scorer: the source of a module, and the function in it that is called with output and context."""

    module: str
    function: str
    source: str

    @classmethod
    def of(cls, value: Any) -> "CodeSource":
        """Read a scorer's value: an expression, a body that returns, a module with `get_assert`, or what a file had.

        Raises:
            Invalid: for what is none of these, does not parse, or is too long.
        """
        if isinstance(value, dict):
            if value.keys() != {"file", "function", "code"} or not all(isinstance(part, str) for part in value.values()):
                raise Invalid("must be code, or have file, function and code")
            return cls(value["file"], value["function"], _parsed(value["code"]))
        if not isinstance(value, str) or not value.strip():
            raise Invalid("is required: Python that says whether an output passes")
        if value.startswith("file://"):
            raise Invalid("names a file; only a suite's file can do that, so give the code itself")
        if _TAG.search(value):
            raise Invalid("has a template in its code; read variables as context['vars']['name'] instead")
        if re.search(rf"^(async\s+)?def\s+{DEFAULT_FUNCTION}\b", value, re.MULTILINE):
            return cls("value", DEFAULT_FUNCTION, _parsed(value))
        text = value.strip("\n")
        body = textwrap.dedent(text) if "\n" in text.strip() else f"return {text.strip()}"
        return cls(
            "value",
            DEFAULT_FUNCTION,
            _parsed(f"import json\n\ndef {DEFAULT_FUNCTION}(output, context):\n{textwrap.indent(body, '    ')}\n"),
        )


class CodeProcess:
    """A process that runs one scorer's code, started when it is first asked and again after it had to be killed."""

    def __init__(self, code: CodeSource, seconds: float = CALL_SECONDS) -> None:
        """Start nothing yet."""
        self._code, self._seconds = code, seconds
        self._turn = asyncio.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], Any] = lambda: None
        self._asked = 0

    async def call(self, output: str, context: Mapping[str, Any]) -> Any:
        """Run the code on an output; one call at a time.

        Raises:
            CodeFailed: for an exception in it, no answer in time, or a process that ended.
        """
        async with self._turn:
            self._take_place()
            work = asyncio.create_task(asyncio.to_thread(self._call, output, context))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                while not work.done():
                    _kill(self._running)
                    await asyncio.wait([work], timeout=POLL_SECONDS)
                work.cancelled() or work.exception()
                raise

    def close(self) -> None:
        """End the process, and whatever it started in its group."""
        self._end()
        self._running = None

    def _take_place(self) -> None:
        """End those processes that were idle the longest where many are alive: cases may bring hundreds of codes."""
        loop = asyncio.get_running_loop()
        found = [one for known in _ALIVE.get(loop, ()) if (one := known()) is not None]
        alive = [one for one in found if one is not self and one._running is not None]
        idle = [one for one in alive if not one._turn.locked()]
        for one in idle[: max(0, len(alive) + 1 - PROCESS_LIMIT)]:
            one.close()
            alive.remove(one)
        _ALIVE[loop] = [weakref.ref(one) for one in (*alive, self)]

    def _call(self, output: str, context: Mapping[str, Any]) -> Any:
        if self._running is None:
            self._start()
        self._asked += 1
        return self._answer({"id": self._asked, "output": output, "context": context, "seconds": self._seconds})

    def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="promptuary-code-", ignore_cleanup_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder.name,
            env={"PATH": os.defpath, "HOME": folder.name, "TMPDIR": folder.name, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        self._running, self._asked = process, 0
        self._end = weakref.finalize(self, _ended, process, folder)
        self._answer({"module": self._code.module, "function": self._code.function, "code": self._code.source, "id": 0})

    def _answer(self, request: Mapping[str, Any]) -> Any:
        """Ask, and read the answer; a process that does not answer as it should is ended."""
        process = self._running
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self._seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(json.dumps(request, ensure_ascii=True).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline(ANSWER_LIMIT)
        except OSError:
            line = b""
        finally:
            timer.cancel()
            timer.join()
        found = _read(line, request["id"])
        if late.is_set():
            self.close()
            raise CodeFailed(f"the code gave no answer within {self._seconds:g} seconds")
        if found is None:
            self.close()
            raise CodeFailed("the code's process ended, or answered something else")
        if "error" in found:
            if request["id"] == 0:
                self.close()
            raise CodeFailed(f"the code raised {found['error']}")
        return found.get("value")


_ALIVE: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[weakref.ref[CodeProcess]]]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class PythonCode(BaseScorer):
    """The suite's own code says that the output passes, or gives a score (above 0, or at the threshold, it passes)."""

    threshold: float | None
    config: Mapping[str, Any] | None
    child: CodeProcess

    async def score(self, sample: ScorerInput) -> Score:
        """Call the code; what it gives is read strictly."""
        return self.read(await self.child.call(sample.output, self.context(sample)))

    def context(self, sample: ScorerInput) -> dict[str, Any]:
        """Give what the code learns, under promptfoo's names where it has one."""
        case = sample.case
        context: dict[str, Any] = {
            "prompt": prompt_as_text(sample),
            "vars": case.vars,
            "test": {"id": case.id, "vars": case.vars, "expected": case.expected, "metadata": case.metadata},
            "metadata": case.metadata,
            "messages": [dict(message) for message in sample.messages],
            "passages": [{"text": passage.text, "document": passage.document} for passage in sample.passages],
            "logProbs": None if sample.logprobs is None else list(sample.logprobs),
            "providerResponse": {
                "output": sample.output,
                "finishReason": sample.finish_reason,
                "toolCalls": [dict(call) for call in sample.tool_calls],
                "tokenUsage": None if sample.tokens is None else dict(sample.tokens),
                "cost": sample.cost,
                "latencyMs": sample.latency_ms,
            },
        }
        return context | ({} if self.config is None else {"config": self.config})

    def read(self, found: Any) -> Score:
        """Read what the code gave: true or false, a number, or an object; also as text, as promptfoo has it.

        As there, `not-` turns the verdict, but of the scores only those of a plain yes or no.

        Raises:
            CodeFailed: for anything else, and for a score that is not finite or not in [0, 1].
        """
        if isinstance(found, str):
            found = _from_text(found)
        if isinstance(found, bool):
            return self.answer(found, f"the code returned {found}")
        try:
            result = _ReturnedObject.model_validate(_camel(found) if isinstance(found, dict) else {"score": found})
        except ValidationError:
            result = _ReturnedObject()
        passed, score = result.passed, result.score
        if passed is None and (score is None or isinstance(found, dict)):
            raise CodeFailed(
                "the code must return true, false, a score from 0 to 1, or an object of pass, score, reason and namedScores"
            )
        if score is None:
            score = float(bool(passed))
        reached = score > 0 if self.threshold is None else score >= self.threshold
        passed = reached if passed is None else passed and (self.threshold is None or reached)
        reason = (result.reason or f"the code gave {score:g}")[:500]
        named = [WeightedScore(Score(name, one > 0, one, ""), metric=name) for name, one in result.named.items()]
        return Score(self.name, passed != self.inverse, score, reason, parts=tuple(named))


UnitScore = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _ReturnedObject(BaseModel):
    """What code returns as an object."""

    model_config = ConfigDict(strict=True, extra="ignore")

    passed: Annotated[bool | None, Field(alias="pass")] = None
    score: UnitScore | None = None
    reason: str | None = None
    named: Annotated[dict[Annotated[str, Field(pattern=METRIC)], UnitScore], Field(alias="namedScores", max_length=50)] = Field(
        default_factory=dict
    )


def _camel(found: dict[str, Any]) -> dict[str, Any]:
    """Give names as promptfoo takes them from Python, where `pass` is a word of the language."""
    return {{"pass_": "pass", "named_scores": "namedScores"}.get(name, name): value for name, value in found.items()}


def _from_text(text: str) -> Any:
    folded = text.strip().lower()
    if folded in ("true", "false"):
        return folded == "true"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parsed(source: str) -> str:
    if len(source.encode("utf-8", "replace")) > CODE_LIMIT:
        raise Invalid(f"has more than {CODE_LIMIT} bytes of code")
    try:
        compile(source, "<value>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = error.msg if isinstance(error, SyntaxError) else str(error)
        raise Invalid(f"is no Python: {words}") from None
    return source


def _read(line: bytes, number: int) -> dict[str, Any] | None:
    """Read an answer; None for what is none, or one to another question."""
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("id") == number else None


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and its group, as long as nobody waited for it: after that its number may be another's."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _ended(process: subprocess.Popen[bytes], folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Kill, wait, and let go of all that the process had."""
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    folder.cleanup()


def _python(spec: "ScorerSpec", parts: ScorerDependencies) -> PythonCode:
    if not parts.code:
        raise Invalid("code of suites is not run here; an operator can allow it by PROMPTUARY_CODE_SCORERS=true")
    child = CodeProcess(CodeSource.of(spec.value))
    known = weakref.ref(child)
    parts.closing(lambda: found.close() if (found := known()) is not None else None)
    return PythonCode(spec.metric, spec.weight, spec.inverse, spec.threshold, spec.config, child)


def _refused(value: Any) -> None:
    raise Invalid("is JavaScript, which is not run here; write the same as a python scorer, or let a webhook answer")


def _never(spec: "ScorerSpec", parts: ScorerDependencies) -> PythonCode:
    raise Invalid("JavaScript is not run here; write the same as a python scorer, or let a webhook answer")


SCORER_TYPES: dict[str, ScorerType] = {
    "python": ScorerType(validator_of(CodeSource.of), _python, threshold=(0, 1), config=lambda _: None),
    "javascript": ScorerType(validator_of(_refused), _never, threshold=(-1e9, 1e9), config=lambda _: None),
}
