"""Results in a temporary file while reports are made of them: a run is fetched once, whatever the number of reports."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from promptuary.evaluation.reports.reported_result import FailureReason, ReportedResult, ResultReader
from promptuary.evaluation.reports.reported_turn import ReportedTurn


@contextmanager
def spool_results(results: Iterable[ReportedResult]) -> Iterator[ResultReader]:
    """Write results to a file, and yield what reads them again; only this user can read it, and it is deleted at the end."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file:
        for result in results:
            nested = {"failures": result.failures, "turns": result.turns}
            fields = vars(result) | {name: [vars(item) for item in items] for name, items in nested.items()}
            file.write(json.dumps(fields) + "\n")
        file.flush()

        def read_again() -> Iterator[ReportedResult]:
            with open(file.name, encoding="utf-8") as lines:
                for line in lines:
                    fields = json.loads(line)
                    failures = tuple(FailureReason(**failure) for failure in fields.pop("failures"))
                    calls = tuple(fields.pop("invalid_tool_calls"))
                    turns = tuple(ReportedTurn(**turn) for turn in fields.pop("turns"))
                    yield ReportedResult(**fields, failures=failures, invalid_tool_calls=calls, turns=turns)

        yield read_again
