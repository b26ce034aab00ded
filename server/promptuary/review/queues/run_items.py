"""Review items made from the results of an evaluation run."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs.service import ResultWithCase, RunService
from promptuary.review.queues.service import NewItem

RUN_ITEM_LIMIT = 10_000
_BATCH = 1000


class ResultSelection(StrEnum):
    """Which results of a run become items. A result without an output never does: there is nothing to review."""

    FAILED = "failed"  # those that did not pass
    ALL = "all"  # every result
    DISAGREE = "disagree"  # those of cases that passed under one variant and failed under another


def select_run_items(
    unit: UnitOfWork, run: str, only: ResultSelection = ResultSelection.FAILED, variant: str | None = None
) -> list[NewItem]:
    """Select a run's results and return them as new items; the same result always has the same source.

    Args:
        unit: the caller's unit of work.
        run: the run's id; it need not have finished.
        only: which results to select.
        variant: the only variant to take results from; None for all.

    Raises:
        NotFound: when there is no such run, or the run has no such variant.
        InvalidRequest: when more than RUN_ITEM_LIMIT results are selected.
    """
    runs = RunService(unit)
    variants = {planned.name: planned for planned in runs.get(run).plan.variants}
    if variant is not None and variant not in variants:
        raise NotFound(f"the run '{run}' has no variant '{variant}'; it has: {', '.join(variants)}")
    answered = [row for row in _iterate_results(runs, run) if row.result.output is not None]
    passed: dict[tuple[str, int], set[bool | None]] = {}
    for row in answered:
        passed.setdefault((row.result.case, row.result.repeat), set()).add(row.result.passed)
    selected = [
        row
        for row in answered
        if variant in (None, row.result.variant)
        and (
            only is ResultSelection.ALL
            or (only is ResultSelection.FAILED and row.result.passed is False)
            or (only is ResultSelection.DISAGREE and passed[row.result.case, row.result.repeat] >= {True, False})
        )
    ]
    if len(selected) > RUN_ITEM_LIMIT:
        raise InvalidRequest(f"{len(selected)} results are selected; the limit is {RUN_ITEM_LIMIT}: choose a variant")
    return [NewItem(f"{run}/{row.result.ordinal}", _payload(row, variants[row.result.variant])) for row in selected]


def _iterate_results(runs: RunService, run: str) -> Iterator[ResultWithCase]:
    cursor = None
    while True:
        page = runs.list_results(run, _BATCH, cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _payload(row: ResultWithCase, variant: Variant) -> dict[str, Any]:
    result = row.result
    return {
        "input": row.case.vars,
        "output": result.output,
        "expected": row.case.expected,
        "case": result.case,
        "repeat": result.repeat,
        "variant": variant.name,
        "prompt": variant.prompt,
        "version": variant.version,
        "model": variant.model,
        "passed": result.passed,
        "scores": dict(result.metrics),
        "messages": result.detail.get("messages"),
        "passages": result.detail.get("passages"),
        "error": result.error,
    }
