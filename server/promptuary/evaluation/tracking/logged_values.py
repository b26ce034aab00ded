"""The parameters, tags and metrics of a run's copy in MLflow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.summary_model import IntervalFigures, VariantSummary


@dataclass(frozen=True)
class LoggedValues:
    """What is logged of one MLflow run.

    Attributes:
        params: by name; values are logged as text.
        tags: by name.
        metrics: by name.
    """

    params: Mapping[str, object]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


def run_values(run: Run, project: str, links: Mapping[str, str]) -> LoggedValues:
    """Return the values of the parent run.

    Args:
        run: finished.
        project: its name.
        links: further tags, with the addresses of the run.
    """
    plan, summary = run.plan, run.summary
    dataset = f"{plan.dataset.name} v{plan.dataset.number}"
    params = {
        "suite": run.suite,
        "suite_digest": plan.suite_digest,
        "dataset": dataset,
        "dataset_digest": plan.dataset.digest,
        "cases": plan.dataset.cases,
        "repeats": plan.repeats,
        "models": ", ".join(plan.suite["models"]),
        "scorers": ", ".join(summary.metrics if summary else ()),
    }
    tags = {
        "promptuary.project": project,
        "promptuary.suite": run.suite,
        "promptuary.suite_digest": plan.suite_digest,
        "promptuary.dataset": dataset,
        "promptuary.dataset_digest": plan.dataset.digest,
        "promptuary.prompt": plan.prompt,
        "promptuary.versions": ", ".join(map(str, dict.fromkeys(variant.version for variant in plan.variants))),
        "promptuary.verdict": run.verdict or "",
        **links,
    }
    metrics: dict[str, float] = {
        "results": run.done,
        "errors": summary.errors if summary else 0,
        "unrunnable": summary.unrunnable if summary else 0,
    }
    for comparison in summary.comparisons if summary else ():
        name = f"difference.{comparison.candidate}.{comparison.baseline}.{comparison.metric}"
        metrics |= _interval_metrics(name, comparison.interval)
    return LoggedValues(params, tags, metrics)


def variant_values(run: Run, variant: Variant, project: str) -> LoggedValues:
    """Return the values of the nested run of a variant.

    Args:
        run: finished.
        variant: of the run.
        project: its name.
    """
    params = {
        "role": variant.role.value,
        "prompt": variant.prompt,
        "version": variant.version if variant.version is not None else "unregistered",
        "digest": variant.digest,
        "model": variant.model,
        "repeats": run.plan.repeats,
        "suite": run.suite,
    }
    tags = {
        "promptuary.project": project,
        "promptuary.prompt": variant.prompt,
        "promptuary.version": "" if variant.version is None else str(variant.version),
        "promptuary.digest": variant.digest,
        "promptuary.role": variant.role.value,
    }
    figures = run.summary.variant(variant.name) if run.summary else None
    return LoggedValues(params, tags, _variant_metrics(figures) if figures else {})


def _variant_metrics(figures: VariantSummary) -> dict[str, float]:
    metrics: dict[str, float] = {
        "results": figures.results,
        "errors": figures.errors,
        "unrunnable": figures.unrunnable,
    }
    for name, metric in figures.metrics.items():
        metrics |= _interval_metrics(name, metric.interval)
        metrics[f"{name}_unscored"] = metric.unscored
    if figures.latency_ms:
        metrics |= {"latency_ms_median": figures.latency_ms.median, "latency_ms_slowest": figures.latency_ms.slowest}
    if figures.tokens:
        metrics |= {"tokens_input": figures.tokens.input, "tokens_output": figures.tokens.output}
    return metrics


def _interval_metrics(name: str, interval: IntervalFigures | None) -> dict[str, float]:
    if interval is None:
        return {}
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
