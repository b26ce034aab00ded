"""Results kept in a file for as long as reports are made of them: a run is asked for once, however many reports there are."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from promptuary.evaluation.reports.content import Result, Results

# What no report looks at is not kept: messages and passages are most of what a result holds.
_KEPT = (
    *("case", "variant", "repeat", "pass", "score", "metrics", "output", "error"),
    *("vars", "expected", "cluster", "latency_ms", "tokens_input", "tokens_output", "cost", "cached"),
)


@contextmanager
def spool_results(results: Iterable[Result]) -> Iterator[Results]:
    """Keep results, and give what reads them again; the file is this user's alone and goes when the block ends."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file:
        for result in results:
            kept = {name: result[name] for name in _KEPT if name in result}
            scores = (result.get("detail") or {}).get("scores")
            file.write(json.dumps(kept | {"detail": {"scores": scores}} if scores else kept) + "\n")
        file.flush()

        def again() -> Iterator[Result]:
            with open(file.name, encoding="utf-8") as lines:
                yield from map(json.loads, lines)

        yield again
