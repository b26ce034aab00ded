"""Review items made from results of an evaluation run, and from pairs of them."""

from collections.abc import Mapping
from typing import Any

from promptuary.evaluation.plan import Plan, Variant
from promptuary.evaluation.runs.service import ResultWithCase
from promptuary.review.queues.case_key import case_key
from promptuary.review.queues.service import NewItem
from promptuary.review.queues.store import REPEATED
from promptuary.review.sources.candidates import Candidate

SLICE, PRIORITY = "slice", "priority"
_SIDES = ("first", "second")


def build_item(candidate: Candidate, plan: Plan, results: Mapping[int, ResultWithCase]) -> NewItem:
    """Build the item of a result, or of a pair of results whose outputs are the item's sides.

    Args:
        candidate: of which results.
        plan: of their run.
        results: at least the candidate's, by their position in the plan.
    """
    variants = {variant.name: variant for variant in plan.variants}
    rows = [results[ordinal] for ordinal in candidate.ordinals]
    key = case_key(rows[0].case)
    if len(rows) == 1:
        result = rows[0].result
        payload = _shared(rows[0]) | _of_result(rows[0], variants[result.variant])
        return NewItem(candidate.source, payload, case_key=key)
    sides = {side: _of_result(row, variants[row.result.variant]) for side, row in zip(_SIDES, rows, strict=True)}
    return NewItem(candidate.source, _shared(rows[0]), pair_sides=sides, case_key=key)


def repeat_swapped(item: NewItem) -> NewItem:
    """Build the repetition of a pair, which its reviewers see with the sides swapped, after the other items."""
    return NewItem(
        f"{item.source}{REPEATED}",
        item.payload,
        probability=item.probability,
        slice_probability=item.slice_probability,
        selection=item.selection,
        pair_sides=item.pair_sides,
        repeat_of=item.id,
        case_key=item.case_key,
    )


def _shared(row: ResultWithCase) -> dict[str, Any]:
    return {
        "input": row.case.vars,
        "expected": row.case.expected,
        "case": row.result.case,
        "repeat": row.result.repeat,
    }


def _of_result(row: ResultWithCase, variant: Variant) -> dict[str, Any]:
    result = row.result
    return {
        "output": result.output,
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
