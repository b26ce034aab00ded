"""What a cost ceiling asks of a run before it starts, and what is said of a run that has reached it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptuary.core.errors import InvalidRequest
from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.suites.suite import Suite, suite_to_json
from promptuary.evaluation.summary_model import Summary
from promptuary.models.calls.pricing import PriceTable, missing_price_error
from promptuary.prompt.text import format_usd
from promptuary.statistics.verdict import Verdict, too_many_unrunnable


def check_prices(plan: Plan, suite: Suite, cases: Iterable[Case]) -> None:
    """See that the price of every model that the run may ask is known: candidates' and judges', also of single cases.

    Raises:
        InvalidRequest: with a fault for each model without a price.
    """
    prices = PriceTable(suite.prices)
    models = dict.fromkeys(variant.model for variant in plan.variants)
    models.update(dict.fromkeys(_judges(suite_to_json(suite)["scorers"])))
    for case in cases:
        models.update(dict.fromkeys(_judges(case.asserts)))
    unknown = [model for model in models if not prices.is_known(model)]
    if unknown:
        raise InvalidRequest("the run cannot be kept under a cost ceiling", [missing_price_error(model) for model in unknown])


def _judges(specs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give the models that raw scorer specs name, and those that they are made of."""
    for spec in specs:
        if spec.get("model"):
            yield str(spec["model"])
        yield from _judges(spec.get("assert") or ())


def with_missing(summary: Summary, plan: Plan, suite: Suite) -> Summary:
    """Return the summary of a stopped run: missing results count as results without a verdict."""
    expected = plan.dataset.cases * plan.repeats
    variants, broken = [], summary.infrastructure
    for variant in summary.variants:
        missing = expected - variant.results
        unscored = max((metric.unscored for metric in variant.metrics.values()), default=0)
        broken = broken or too_many_unrunnable(max(variant.unrunnable, unscored) + missing, expected, suite.max_unrunnable)
        variants.append(variant.model_copy(update={"missing": missing, "unrunnable": variant.unrunnable + missing}))
    missing = sum(expected - variant.results for variant in summary.variants)
    return summary.model_copy(
        update={
            "verdict": Verdict.INFRASTRUCTURE if broken else summary.verdict,
            "infrastructure": broken,
            "variants": tuple(variants),
            "missing": missing,
            "unrunnable": summary.unrunnable + missing,
        }
    )


def cost_limit_message(plan: Plan, missing: int) -> str:
    """Say that a run was stopped by its ceiling, and what goes on."""
    limit = format_usd(plan.max_cost or 0, significant_digits=6)
    return (
        f"the cost ceiling of {limit} was reached with {missing} of {plan.total} results missing; "
        "what is there is kept, and a higher ceiling goes on"
    )
