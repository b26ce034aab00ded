"""The summary and the message of a run that has reached its cost limit. Pure."""

from promptuary.evaluation.plan import Plan
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary
from promptuary.prompt.text import format_usd
from promptuary.statistics.verdict import Verdict, too_many_unrunnable


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
    """Return the reason why a run was stopped, with the remedy."""
    limit = format_usd(plan.max_cost or 0, significant_digits=6)
    return (
        f"the cost limit of {limit} was reached with {missing} of {plan.total} results missing; "
        "the other results are kept, and a higher limit resumes the run"
    )
