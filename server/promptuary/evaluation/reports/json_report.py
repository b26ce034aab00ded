"""A run and its results as JSON, written piece by piece, so that no run is too large for it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from promptuary.evaluation.reports.content import Result, Run

FIELDS = ("case", "variant", "repeat", "pass", "score", "metrics", "output", "error")


def json_report(run: Run, results: Iterable[Result]) -> Iterator[str]:
    """Give a run as `--json` writes it, with a line for every result."""
    head = {
        "run": run["id"],
        "suite": run["suite"],
        "verdict": run["verdict"],
        "tracking_id": run["tracking_id"],
        "summary": run["summary"],
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "results": ['
    between = "\n"
    for result in results:
        yield f"{between}    {_text({field: result[field] for field in FIELDS})}"
        between = ",\n"
    yield "\n  ]\n}" if between == ",\n" else "]\n}"


def json_list(runs: Iterable[Iterable[str]]) -> Iterator[str]:
    """Give runs, each as `values` gives it: one alone as it is, several as a list."""
    whole = list(runs)
    if len(whole) == 1:
        yield from whole[0]
        return
    yield "["
    for place, pieces in enumerate(whole):
        yield ",\n" if place else "\n"
        yield from pieces
    yield "\n]"


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False).encode().decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot say
        return json.dumps(value)
