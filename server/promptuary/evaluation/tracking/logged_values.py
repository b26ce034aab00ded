"""The parameters, tags and metrics of a run's copy in MLflow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.evaluation.judge_figures import CorrectionFigures
from promptuary.evaluation.plan import Plan, Variant
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.summary_model import IntervalFigures, VariantSummary
from promptuary.models.model_spec import parse_model


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
        "models": ", ".join(str(parse_model(model)) for model in plan.suite["models"]),
        "scorers": ", ".join(summary.metrics if summary else ()),
    }
    tags = {
        "promptuary.project": project,
        "promptuary.suite": run.suite,
        "promptuary.suite_digest": plan.suite_digest,
        "promptuary.dataset": dataset,
        "promptuary.dataset_digest": plan.dataset.digest,
        **_subject_tags(plan),
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
    for correction in summary.corrections if summary else ():
        if correction.baseline is not None:
            name = f"difference.{correction.variant}.{correction.baseline}.{correction.metric}"
            metrics |= _correction_metrics(name, correction)
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
        **_subject_params(variant),
        "digest": variant.digest,
        "repeats": run.plan.repeats,
        "suite": run.suite,
    }
    tags = {
        "promptuary.project": project,
        **_variant_tags(variant),
        "promptuary.digest": variant.digest,
        "promptuary.role": variant.role.value,
    }
    figures = run.summary.variant(variant.name) if run.summary else None
    metrics = _variant_metrics(figures) if figures else {}
    for correction in run.summary.corrections if run.summary else ():
        if (correction.variant, correction.baseline) == (variant.name, None):
            metrics |= _correction_metrics(correction.metric, correction)
    return LoggedValues(params, tags, metrics)


def _subject_tags(plan: Plan) -> dict[str, str]:
    """Return the tags that name the prompt with its versions, or the applications with theirs."""
    if plan.prompt is not None:
        versions = ", ".join(map(str, dict.fromkeys(variant.version for variant in plan.variants)))
        return {"promptuary.prompt": plan.prompt, "promptuary.versions": versions}
    stated = dict.fromkeys(variant.target_version for variant in plan.variants if variant.target_version)
    return {"promptuary.target": ", ".join(plan.targets), "promptuary.target_versions": ", ".join(stated)}


def _subject_params(variant: Variant) -> dict[str, str | int]:
    if variant.target is not None:
        return {"target": variant.target, "target_version": variant.target_version or ""}
    return {"prompt": variant.prompt or "", "version": variant.version or 0, "model": variant.model}


def _variant_tags(variant: Variant) -> dict[str, str]:
    if variant.target is not None:
        return {"promptuary.target": variant.target, "promptuary.target_version": variant.target_version or ""}
    return {"promptuary.prompt": variant.prompt or "", "promptuary.version": str(variant.version)}


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


def _correction_metrics(name: str, correction: CorrectionFigures) -> dict[str, float]:
    """Return the corrected figure beside the raw one, with its labels."""
    labels: dict[str, float] = {f"{name}_labels": correction.labels}
    if correction.effective_labels is not None:
        labels[f"{name}_effective_labels"] = correction.effective_labels
    return labels | _interval_metrics(f"{name}_corrected", correction.corrected)


def _interval_metrics(name: str, interval: IntervalFigures | None) -> dict[str, float]:
    if interval is None:
        return {}
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
