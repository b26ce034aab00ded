"""What a finished run says, for people, CI and programs: lines, Markdown, JUnit XML, JSON. Made from the API's answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

Run = Mapping[str, Any]
Result = Mapping[str, Any]
VERDICTS = {
    "pass": "the gate is met",
    "regression": "the gate failed: a regression was shown",
    "inconclusive": "not enough evidence either way",
    "infrastructure": "too many cases could not be run",
}


def text(run: Run) -> list[str]:
    """Give a run's figures as lines."""
    lines = [f"{run['suite']}  run {run['id']}  {run['done']} results"]
    if run["summary"] is None:
        return [*lines, f"{run['state']}: {run['error'] or 'no summary'}"]
    width = max(len(variant["name"]) for variant in run["summary"]["variants"])
    for variant in run["summary"]["variants"]:
        shown = [f"{name} {_interval(interval)}" for name, interval in _figures(run["summary"], variant)]
        lines.append(f"  {variant['name']:<{width}}  {', '.join(shown)}" + _unanswered(variant))
    for one in _compared(run["summary"]):
        lines.append(f"  {one['candidate']} − {one['baseline']}  {one['metric']} {_interval(one['interval'], signed=True)}")
    lines += [f"  gate: {gate['sentence']} → {gate['verdict']}" for gate in run["summary"]["gates"]]
    return [*lines, f"  verdict: {run['verdict']} ({VERDICTS[run['verdict']]})"]


def _metrics(summary: Mapping[str, Any]) -> list[str]:
    """Name the metrics to show: the scorers', and whether all of them passed where there are several."""
    scorers = [name for name in summary["metrics"] if name not in ("pass", "score")]
    return scorers if len(scorers) == 1 else [*scorers, "pass"]


def _figures(summary: Mapping[str, Any], variant: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    held = [(name, variant["metrics"][name]["interval"]) for name in _metrics(summary)]
    return [(name, interval) for name, interval in held if interval]


def _compared(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in summary["comparisons"] if one["interval"] and one["metric"] in _metrics(summary)]


def _unanswered(variant: Mapping[str, Any]) -> str:
    return f"  ({variant['errors']} of {variant['results']} without an answer)" if variant["errors"] else ""


def _interval(interval: Mapping[str, Any], *, signed: bool = False) -> str:
    figures = [f"{interval[end]:{'+' if signed else ''}.3f}".replace("-", "−") for end in ("estimate", "low", "high")]
    return f"{figures[0]} [{figures[1]}, {figures[2]}]"


def markdown(run: Run, results: Sequence[Result]) -> str:
    """Give a summary for a pull request: the metrics, the paired differences, the gate, and the cases that got worse."""
    summary = run["summary"]
    if summary is None:
        return f"## {run['suite']}: {run['state']}\n\n{run['error'] or ''}\n"
    lines = [f"## {run['suite']}: {run['verdict']}", "", f"{VERDICTS[run['verdict']].capitalize()}. Run `{run['id']}`.", ""]
    lines += ["| variant | metric | mean | 95 % interval | cases |", "|---|---|---|---|---|"]
    for variant in summary["variants"]:
        lines += [_row(variant["name"], name, interval) for name, interval in _figures(summary, variant)]
    compared = _compared(summary)
    if compared:
        lines += ["", "| paired difference | metric | mean | 95 % interval | cases |", "|---|---|---|---|---|"]
        lines += [_row(f"{one['candidate']} − {one['baseline']}", one["metric"], one["interval"]) for one in compared]
    if summary["gates"]:
        lines += ["", *(f"- **{gate['verdict']}**: {gate['sentence']}" for gate in summary["gates"])]
    lines += _worse(compared, results)
    return "\n".join(lines) + "\n"


def _row(what: str, metric: str, interval: Mapping[str, Any]) -> str:
    low, high = f"{interval['low']:.3f}", f"{interval['high']:.3f}"
    return f"| {what} | {metric} | {interval['estimate']:.3f} | {low} to {high} | {interval['n']} |"


def _worse(compared: Sequence[Mapping[str, Any]], results: Sequence[Result], most: int = 5) -> Iterator[str]:
    """Show cases that got worse on the first metric compared, both outputs beside each other."""
    worst = next((one for one in compared if one["worse"]), None)
    if worst is None:
        return
    outputs = {(result["case"], result["variant"]): result["output"] for result in results}
    yield from ("", f"Worse on {worst['metric']}: {len(worst['worse'])} cases", "")
    yield from (f"| case | {worst['candidate']} | {worst['baseline']} |", "|---|---|---|")
    for case in worst["worse"][:most]:
        shown = [_cell(outputs.get((case, worst[side]))) for side in ("candidate", "baseline")]
        yield f"| {_plain(case)} | {shown[0]} | {shown[1]} |"


def _cell(output: str | None) -> str:
    shown = _plain((output or "").replace("`", "'"))
    return f"`{shown}`" if shown else ""


def _plain(text: str) -> str:
    """Give the beginning of a text so that it cannot end its cell."""
    return " ".join(text.split())[:200].replace("|", "\\|")


def junit(runs: Sequence[tuple[Run, Sequence[Result]]]) -> bytes:
    """Give JUnit XML: a test suite a run, a test a result of the candidate, and one for each demand of the gate."""
    root = Element("testsuites")
    for run, results in runs:
        gates = run["summary"]["gates"] if run["summary"] else []
        candidates = {variant["name"] for variant in run["variants"] if variant["role"] == "candidate"}
        judged = [result for result in results if result["variant"] in candidates]
        failed = errors = 0
        suite = SubElement(root, "testsuite", name=run["suite"])
        if run["summary"] is None:
            errors += 1
            test = SubElement(suite, "testcase", classname=run["suite"], name="run")
            SubElement(test, "error", message=_clean(f"{run['state']}: {run['error'] or 'no summary'}"))
        for result in judged:
            test = SubElement(suite, "testcase", classname=f"{run['suite']}.{result['variant']}", name=_name(result))
            if result["pass"] is None:
                errors += 1
                SubElement(test, "error", message=_clean(result["error"] or "a scorer could not answer"))
            elif not result["pass"]:
                failed += 1
                message = ", ".join(f"{name} {score:.3f}" for name, score in result["metrics"].items() if score is not None)
                SubElement(test, "failure", message=message).text = _clean(result["output"] or "")
        for gate in gates:
            name = f"{gate['metric']} {gate['kind']} {gate['label'] or gate['bound']}"
            test = SubElement(suite, "testcase", classname=f"{run['suite']}.gate", name=name)
            if gate["verdict"] != "pass":
                failed += 1
                SubElement(test, "failure", message=_clean(f"{gate['verdict']}: {gate['sentence']}"))
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(failed))
        suite.set("errors", str(errors))
    indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root) + b"\n"


def _name(result: Result) -> str:
    return _clean(result["case"]) + (f" #{result['repeat'] + 1}" if result["repeat"] else "")


def _clean(text: str) -> str:
    """Leave out what XML cannot say."""
    return "".join(c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")


def as_values(run: Run, results: Sequence[Result]) -> dict[str, Any]:
    """Give the run as `--json` writes it."""
    fields = ("case", "variant", "repeat", "pass", "score", "metrics", "output", "error")
    return {
        "run": run["id"],
        "suite": run["suite"],
        "verdict": run["verdict"],
        "tracking_id": run["tracking_id"],
        "summary": run["summary"],
        "results": [{field: result[field] for field in fields} for result in results],
    }
