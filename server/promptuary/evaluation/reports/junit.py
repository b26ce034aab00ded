"""JUnit XML: a test suite for each run, a test for each result of the candidates, and a test for each check of the gate.

It uses only what the readers of Jenkins, GitLab and GitHub have in common. The counts stand before the tests, so results are
read twice and never collected in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from promptuary.evaluation.reports.applications import stated_versions
from promptuary.evaluation.reports.corrections import correction_lines
from promptuary.evaluation.reports.formatting import format_number, truncate
from promptuary.evaluation.reports.reported_result import ReportedResult, ResultReader
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.run_comparison import COLUMNS
from promptuary.evaluation.summary_model import GateResult
from promptuary.statistics.verdict import Verdict

TEXT_LIMIT = 20_000


def junit_report(runs: Iterable[tuple[ReportedRun, ResultReader]]) -> Iterator[str]:
    """Yield the file piece by piece."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n'
    for run, results in runs:
        yield from _suite(run, results)
    yield "</testsuites>\n"


@dataclass
class _Counts:
    """The figures of a test suite's start tag; `seconds` is the sum of the latencies."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, run: ReportedRun, results: Iterable[ReportedResult]) -> "_Counts":
        """Count the tests of a run."""
        gates = run.summary.gates if run.summary is not None else ()
        broken = run.summary is None
        counts = cls(tests=len(gates) + broken, errors=int(broken))
        counts.failures = sum(gate.verdict is not Verdict.PASS for gate in gates)
        for result in results:
            counts.tests += 1
            counts.errors += result.passed is None
            counts.failures += result.passed is False
            counts.seconds += (result.latency_ms or 0.0) / 1000
        return counts

    @property
    def attributes(self) -> str:
        """The counts as attributes of the start tag."""
        return f'tests="{self.tests}" failures="{self.failures}" errors="{self.errors}" time="{self.seconds:.3f}"'


def _suite(run: ReportedRun, read_results: ResultReader) -> Iterator[str]:
    counts = _Counts.of(run, _of_candidates(run, read_results))
    started = f' timestamp="{run.started_at[:19]}"' if run.started_at else ""
    yield f"  <testsuite name={_attribute(run.suite)} {counts.attributes}{started}>\n    <properties>\n"
    for name, value in (("id", run.id), ("state", run.state), ("verdict", run.verdict), *_subject(run)):
        if value:
            yield f'      <property name="{name}" value={_attribute(value)}/>\n'
    yield "    </properties>\n"
    if run.summary is None:
        reason = f"{run.state}: {run.error or 'no summary'}"
        yield _test(run.suite, "run", f"      <error message={_attribute(reason)}/>\n")
    for result in _of_candidates(run, read_results):
        yield _result_test(run, result)
    for gate in run.summary.gates if run.summary is not None else ():
        yield _gate_test(run, gate)
    yield from _suite_output(run)
    yield "  </testsuite>\n"


def _suite_output(run: ReportedRun) -> Iterator[str]:
    """Yield judged figures beside corrected ones, and the comparison with an earlier run, as the suite's output."""
    lines, comparison = list(correction_lines(run)), run.comparison
    if comparison is not None:
        lines += [f"compared with the run {comparison.baseline}", *comparison.notes]
        lines += [", ".join(f"{name} {cell}" for name, cell in zip(COLUMNS, row, strict=True)) for row in comparison.rows]
    if lines:
        yield f"    <system-out>{_text(chr(10).join(lines))}</system-out>\n"


def _subject(run: ReportedRun) -> Iterator[tuple[str, str | None]]:
    """Yield the properties that name the prompt, or the applications with their versions."""
    yield "prompt", run.prompt
    if run.targets:
        yield "target", ", ".join(run.targets)
    for name, stated in stated_versions(run):
        yield f"version of {name}", ", ".join(stated)


def _of_candidates(run: ReportedRun, read_results: ResultReader) -> Iterator[ReportedResult]:
    candidates = run.candidates
    return (result for result in read_results() if result.variant in candidates)


def _gate_test(run: ReportedRun, gate: GateResult) -> str:
    name = f"{gate.metric} {gate.kind} {gate.label or gate.bound}"
    if len(run.candidates) > 1:
        name += f" {gate.candidate}"
    failure = f"      <failure message={_attribute(f'{gate.verdict}: {gate.sentence}')}/>\n"
    return _test(f"{run.suite}.gate", name, "" if gate.verdict is Verdict.PASS else failure)


def _result_test(run: ReportedRun, result: ReportedResult) -> str:
    name = result.case + (f" #{result.repeat + 1}" if result.repeat else "")
    seconds = None if result.latency_ms is None else result.latency_ms / 1000
    output = result.shown_output if result.turns else result.output or ""
    text = _text("\n".join([*map(str, result.failures), output]))
    outcome = ""
    if result.passed is None:
        outcome = f"      <error message={_attribute(result.verdict_error)}>{text}</error>\n"
    elif not result.passed:
        scores = ", ".join(f"{name} {format_number(score)}" for name, score in result.metrics.items() if score is not None)
        outcome = f"      <failure message={_attribute(scores)}>{text}</failure>\n"
    return _test(f"{run.suite}.{result.variant}", name, outcome, seconds)


def _test(classname: str, name: str, outcome: str, seconds: float | None = None) -> str:
    """Return a test case; `outcome` is the element of its failure or error, empty for a pass."""
    time = "" if seconds is None else f' time="{seconds:.3f}"'
    start = f"    <testcase classname={_attribute(classname)} name={_attribute(name)}{time}"
    return f"{start}>\n{outcome}    </testcase>\n" if outcome else f"{start}/>\n"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _text(text: str) -> str:
    return escape(_clean(truncate(text, TEXT_LIMIT)), {"\r": "&#13;"})


def _clean(text: str) -> str:
    """Strip the characters that XML cannot express."""
    return "".join(c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")
