"""JUnit XML: a test suite a run, a test a result of the candidates, and one for each demand of the gate.

Kept to what Jenkins, GitLab and GitHub's readers agree on. The counts stand before the tests, so results are gone through
twice, and never held.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from promptuary.evaluation.reports.content import Result, Results, Run, candidate_names, failure_reasons
from promptuary.evaluation.reports.formatting import format_number, truncate

TEXT_LIMIT = 20_000


def junit_report(runs: Iterable[tuple[Run, Results]]) -> Iterator[str]:
    """Give the file piece by piece."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n'
    for run, results in runs:
        yield from _suite(run, results)
    yield "</testsuites>\n"


def _suite(run: Run, results: Results) -> Iterator[str]:
    about = candidate_names(run)
    gates = run["summary"]["gates"] if run["summary"] else []
    broken = run["summary"] is None
    tests, errors, seconds = len(gates) + broken, int(broken), 0.0
    failures = sum(gate["verdict"] != "pass" for gate in gates)
    for result in results():
        if result["variant"] in about:
            tests += 1
            errors += result["pass"] is None
            failures += result["pass"] is False
            seconds += (result.get("latency_ms") or 0.0) / 1000
    started = f' timestamp="{run["started_at"][:19]}"' if run.get("started_at") else ""
    counts = f'tests="{tests}" failures="{failures}" errors="{errors}" time="{seconds:.3f}"'
    yield f"  <testsuite name={_attribute(run['suite'])} {counts}{started}>\n    <properties>\n"
    for name in ("id", "state", "verdict", "prompt"):
        if run.get(name):
            yield f'      <property name="{name}" value={_attribute(run[name])}/>\n'
    yield "    </properties>\n"
    if broken:
        why = f"{run['state']}: {run['error'] or 'no summary'}"
        yield _test(run["suite"], "run", f"      <error message={_attribute(why)}/>\n")
    for result in results():
        if result["variant"] in about:
            yield _result(run, result)
    for gate in gates:
        name = f"{gate['metric']} {gate['kind']} {gate['label'] or gate['bound']}"
        if len(about) > 1:
            name += f" {gate['candidate']}"
        failed = f"      <failure message={_attribute(gate['verdict'] + ': ' + gate['sentence'])}/>\n"
        yield _test(f"{run['suite']}.gate", name, "" if gate["verdict"] == "pass" else failed)
    yield "  </testsuite>\n"


def _result(run: Run, result: Result) -> str:
    name = result["case"] + (f" #{result['repeat'] + 1}" if result["repeat"] else "")
    latency = result.get("latency_ms")
    seconds = None if latency is None else latency / 1000
    text = _text("\n".join([*failure_reasons(result), result["output"] or ""]))
    told = ""
    if result["pass"] is None:
        told = f"      <error message={_attribute(result['error'] or 'a scorer could not answer')}>{text}</error>\n"
    elif not result["pass"]:
        scores = ", ".join(f"{name} {format_number(score)}" for name, score in result["metrics"].items() if score is not None)
        told = f"      <failure message={_attribute(scores)}>{text}</failure>\n"
    return _test(f"{run['suite']}.{result['variant']}", name, told, seconds)


def _test(classname: str, name: str, told: str, seconds: float | None = None) -> str:
    time = "" if seconds is None else f' time="{seconds:.3f}"'
    start = f"    <testcase classname={_attribute(classname)} name={_attribute(name)}{time}"
    return f"{start}>\n{told}    </testcase>\n" if told else f"{start}/>\n"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _text(text: str) -> str:
    return escape(_clean(truncate(text, TEXT_LIMIT)), {"\r": "&#13;"})


def _clean(text: str) -> str:
    """Leave out what XML cannot say."""
    return "".join(c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")
