"""A plug-in of pytest: the cases of suites are tests, and their gates are the verdict of the session.

It does nothing unless suites are named: `pytest evals/triage.yaml`, or `pytest tests --promptuary evals/triage.yaml`. A suite
runs once, when its first case is tested. Its gate, a test of its own, decides on the session: where it is met, cases that do
not pass are expected failures; where it is not met, or there is none, they fail.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from promptuary.cli.python.evaluate import EvaluationResult
    from promptuary.evaluation.reports.reported_result import ReportedResult

GATE = "gate"
_OPTION = "promptuary_suites"
_TEXT_LIMIT = 300


class CaseFailed(Exception):
    """Results of a case did not pass, or have no verdict."""


class GateNotMet(Exception):
    """The gate of a suite is not met, or is inconclusive."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("promptuary", "evaluations by Promptuary")
    group.addoption(
        "--promptuary",
        action="append",
        default=[],
        dest=_OPTION,
        metavar="SUITE",
        help="run this suite's file: its cases as tests, its gate as one more (repeatable)",
    )
    group.addoption(
        "--promptuary-strict",
        action="store_true",
        help="fail by every case that does not pass, also where the gate is met",
    )
    group.addoption(
        "--promptuary-allow-code", action="store_true", help="let the suites run Python code, in a run without a server"
    )


def pytest_collection(session: pytest.Session) -> None:
    """Add the suites' files to what is collected."""
    for suite in session.config.getoption(_OPTION):
        if not Path(suite).is_file():
            raise pytest.UsageError(f"--promptuary {suite}: there is no such file")
        path = str(Path(suite))
        if path not in session.config.args:
            session.config.args.append(path)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "SuiteCollector | None":
    """Collect a suite's file that the command names; any other file is none of this plug-in's."""
    config = parent.config
    path = file_path.resolve()
    if path not in _paths(config.getoption(_OPTION)) and not (
        path in _paths(config.invocation_params.args) and _is_suite(path)
    ):
        return None
    return SuiteCollector.from_parent(parent, path=file_path)


def _paths(arguments: Sequence[Any]) -> set[Path]:
    return {Path(argument.partition("::")[0]).resolve() for argument in map(str, arguments) if not argument.startswith("-")}


def _is_suite(path: Path) -> bool:
    """Return whether a file is a suite, by its keys; other plug-ins have YAML files, too."""
    if path.suffix not in (".yaml", ".yml"):
        return False
    from promptuary.prompt.errors import PromptuaryError
    from promptuary.prompt.files.prompt_file import read_yaml_file

    try:
        body = read_yaml_file(path).value
    except PromptuaryError:
        return False
    keys = set(body) if isinstance(body, dict) else set()
    return {"name", "dataset"} <= keys or {"prompts", "tests"} <= keys


class SuiteCollector(pytest.File):
    """A suite; its run begins when the result of its first case is wanted."""

    _result: "EvaluationResult | None" = None
    _error: Exception | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """Yield a test for each case, and one for the gate.

        Raises:
            CollectError: for a suite that cannot be used.
        """
        from promptuary.cli.evaluation.suites import PromptfooOptions, read_source
        from promptuary.prompt.errors import PromptuaryError

        try:
            source = read_source(str(self.path), PromptfooOptions())
        except PromptuaryError as error:
            raise self.CollectError(_described(error)) from None
        cases = source.file.cases if source.file is not None else source.translation.cases if source.translation else ()
        for case in cases:
            yield CaseItem.from_parent(self, name=str(case.id))
        yield GateItem.from_parent(self, name=GATE)

    @property
    def result(self) -> "EvaluationResult":
        """The result of the suite's run, which is executed once; its error is every test's."""
        from promptuary.cli.python.evaluate import evaluate
        from promptuary.prompt.errors import PromptuaryError

        if self._error is not None:
            raise self._error
        if self._result is None:
            try:
                self._result = evaluate(self.path, allow_code=self.config.getoption("--promptuary-allow-code"))
            except Exception as error:
                self._error = GateNotMet(_described(error)) if isinstance(error, PromptuaryError) else error
                raise self._error from None
        return self._result


class _SuiteItem(pytest.Item):
    """A test of a suite."""

    @property
    def suite(self) -> SuiteCollector:
        """The suite."""
        assert isinstance(self.parent, SuiteCollector)
        return self.parent

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentences of an evaluation without a traceback, which would show this program's code only."""
        if isinstance(excinfo.value, CaseFailed | GateNotMet):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what the heading of a failure shows."""
        return self.path, None, f"{self.path.name}: {self.name}"


class CaseItem(_SuiteItem):
    """A case of a suite under all its variants and repeats."""

    def runtest(self) -> None:
        """Check the candidates' results of the case.

        Raises:
            CaseFailed: with output and reasons of each that did not pass.
        """
        from promptuary.statistics.verdict import Verdict

        result = self.suite.result
        results = [each for each in result.results if each.case == self.name and each.variant in result.run.candidates]
        failed = [each for each in results if each.passed is not True]
        if not results:
            raise CaseFailed(f"the case has no result: the run {result.run.id} is {result.run.state}")
        text = "\n".join(line for each in failed for line in _failure_lines(each))
        if failed and result.verdict is Verdict.PASS and not self.config.getoption("--promptuary-strict"):
            pytest.xfail(f"the gate is met without it: {text}")
        if failed:
            raise CaseFailed(text)


class GateItem(_SuiteItem):
    """The gate of a suite."""

    def runtest(self) -> None:
        """Check the verdict of the run.

        Raises:
            GateNotMet: with the figures of the run.
        """
        result = self.suite.result
        self.add_report_section("call", "promptuary", str(result))
        if not result.passed:
            raise GateNotMet(str(result))


def _failure_lines(result: "ReportedResult") -> Sequence[str]:
    repeat = f", repeat {result.repeat + 1}" if result.repeat else ""
    state = "has no verdict" if result.passed is None else "does not pass"
    lines = [f"{result.case} under {result.variant}{repeat} {state}", f"  output: {_shortened(result.shown_output)}"]
    if result.expected is not None:
        lines.append(f"  expected: {_shortened(str(result.expected))}")
    return [*lines, *(f"  {_shortened(str(failure))}" for failure in result.failures)]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_LIMIT else f"{line[:_TEXT_LIMIT]}…"


def _described(error: Any) -> str:
    """Return an error of this program with its field errors, one a line."""
    return "\n".join([str(error), *(f"  {each}" for each in getattr(error, "field_errors", ()) if str(each) not in str(error))])
