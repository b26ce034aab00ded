"""Items from an evaluation run: which of its results are worth a person's look, and what the person gets to see."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs.service import Evaluations, ResultWithCase
from promptuary.review.service import NewItem

RUN_ITEM_LIMIT = 10_000
_BATCH = 1000


class ResultSelection(StrEnum):
    """Which results of a run become items. A result without an output never does: there is nothing to look at."""

    FAILED = "failed"  # those that did not pass
    ALL = "all"  # every one
    DISAGREE = "disagree"  # those of cases that passed under one variant and failed under another


def select_run_items(
    unit: UnitOfWork, run: str, only: ResultSelection = ResultSelection.FAILED, variant: str | None = None
) -> list[NewItem]:
    """Choose a run's results and make items of them; the same result always has the same source.

    Args:
        unit: on whose behalf.
        run: the run's id; it need not have finished.
        only: which results.
        variant: only this one's.

    Raises:
        NotFound: when there is no such run, or the run has no such variant.
        InvalidRequest: when the choice comes to too many.
    """
    evaluations = Evaluations(unit)
    variants = {known.name: known for known in evaluations.run(run).plan.variants}
    if variant is not None and variant not in variants:
        raise NotFound(f"the run '{run}' has no variant '{variant}'; it has: {', '.join(variants)}")
    answered = [shown for shown in _results(evaluations, run) if shown.result.output is not None]
    passed: dict[tuple[str, int], set[bool | None]] = {}
    for shown in answered:
        passed.setdefault((shown.result.case, shown.result.repeat), set()).add(shown.result.passed)
    chosen = [
        shown
        for shown in answered
        if variant in (None, shown.result.variant)
        and (
            only is ResultSelection.ALL
            or (only is ResultSelection.FAILED and shown.result.passed is False)
            or (only is ResultSelection.DISAGREE and passed[shown.result.case, shown.result.repeat] >= {True, False})
        )
    ]
    if len(chosen) > RUN_ITEM_LIMIT:
        raise InvalidRequest(
            f"{len(chosen)} results would come into the queue; the most are {RUN_ITEM_LIMIT}: choose a variant"
        )
    return [NewItem(f"{run}/{shown.result.ordinal}", _payload(shown, variants[shown.result.variant])) for shown in chosen]


def _results(evaluations: Evaluations, run: str) -> Iterator[ResultWithCase]:
    cursor = None
    while True:
        found = evaluations.results(run, _BATCH, cursor)
        yield from found.items
        cursor = found.next_cursor
        if cursor is None:
            return


def _payload(shown: ResultWithCase, variant: Variant) -> dict[str, Any]:
    result = shown.result
    return {
        "input": shown.case.vars,
        "output": result.output,
        "expected": shown.case.expected,
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
