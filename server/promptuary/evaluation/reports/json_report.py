"""A run and its results as JSON, written piece by piece, so that memory does not limit the size of a run."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from promptuary.evaluation.reports.error_groups import ErrorGroups
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun


def json_report(run: ReportedRun, results: Iterable[ReportedResult]) -> Iterator[str]:
    """Yield a run as `--json` writes it, piece by piece, with a line for every result; the errors stand grouped at the end."""
    head = {
        "run": run.id,
        "suite": run.suite,
        "verdict": run.verdict,
        "tracking_id": run.tracking_id,
        "summary": run.summary_json,
        **({"targets": run.targets} if run.targets else {}),
        **({"traffic": asdict(run.traffic)} if run.traffic is not None else {}),
        **({"comparison": run.comparison.json_body} if run.comparison is not None else {}),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "results": ['
    separator, groups = "\n", ErrorGroups()
    for result in results:
        groups.add(result)
        yield f"{separator}    {_result_line(result)}"
        separator = ",\n"
    yield "\n  ]" if separator == ",\n" else "]"
    if errors := [group.json_body() for group in groups.ranked()]:
        yield ",\n  " + json.dumps({"errors": errors}, ensure_ascii=True)[1:-1]
    yield "\n}"


def json_list(reports: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the pieces of several reports as `json_report` yields them: a single one as it is, several as a list."""
    whole = list(reports)
    if len(whole) == 1:
        yield from whole[0]
        return
    yield "["
    for index, pieces in enumerate(whole):
        yield ",\n" if index else "\n"
        yield from pieces
    yield "\n]"


def _result_line(result: ReportedResult) -> str:
    body = {
        "case": result.case,
        "variant": result.variant,
        "repeat": result.repeat,
        "pass": result.passed,
        "score": result.score,
        "metrics": result.metrics,
        "output": result.output,
        "error": result.error,
    }
    body |= _details(result)
    try:
        return json.dumps(body, ensure_ascii=False).encode().decode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot express
        return json.dumps(body)


def _details(result: ReportedResult) -> dict[str, object]:
    """Return what a result has beside its output and its scores, and only where it has something."""
    failures = [
        {"scorer": failure.scorer, "error" if failure.is_error else "reason": failure.text} for failure in result.failures
    ]
    details: dict[str, object] = {
        "failures": failures,
        "refusal": result.refusal,
        "reasoning": result.reasoning,
        "invalid_tool_calls": list(result.invalid_tool_calls),
        "turns": [turn.json_body() for turn in result.turns],
    }
    return {name: value for name, value in details.items() if value}
