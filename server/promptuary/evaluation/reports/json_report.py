"""A run and its results as JSON, written piece by piece, so that memory does not limit the size of a run."""

import json
from collections.abc import Iterable, Iterator

from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun


def json_report(run: ReportedRun, results: Iterable[ReportedResult]) -> Iterator[str]:
    """Yield a run as `--json` writes it, piece by piece, with a line for every result."""
    head = {
        "run": run.id,
        "suite": run.suite,
        "verdict": run.verdict,
        "tracking_id": run.tracking_id,
        "summary": run.summary_json,
        **({"targets": run.targets} if run.targets else {}),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "results": ['
    separator = "\n"
    for result in results:
        yield f"{separator}    {_result_line(result)}"
        separator = ",\n"
    yield "\n  ]\n}" if separator == ",\n" else "]\n}"


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
    try:
        return json.dumps(body, ensure_ascii=False).encode().decode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot express
        return json.dumps(body)
