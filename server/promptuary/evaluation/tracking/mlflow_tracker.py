"""A finished run in MLflow: a copy, made from the outbox, that can be made again. The only module that knows MLflow.

Delivery may happen twice, and two workers may deliver at once: a run is looked for by its tag before it is made and again
after, and of several the one of the smallest id stays. Metrics carry the run's own time, so that logging them again changes
nothing.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promptuary.access.store import get_project
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.summary_model import IntervalFigures, VariantSummary
from promptuary.evaluation.tracking.artifacts import RESULTS_FILE, summary_markdown, write_artifacts

RUN_TAG = "promptuary.run"
VARIANT_TAG = "promptuary.variant"
NOTE_TAG = "mlflow.note.content"
_BATCH = 100
_VALUE_LIMIT = 500
_NOTE_LIMIT = 5000
_DIGEST_LIMIT = 36
# MLflow asks for home by default, and waits minutes for a server that is gone; what an operator has set stays.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


@dataclass(frozen=True)
class MlflowTracker:
    """Brings finished runs to the MLflow that the settings name.

    Attributes:
        settings: the tracking URI; with a local one, artifacts go to `mlartifacts` in the data directory.
        database: where the runs are.
    """

    settings: Settings
    database: Database

    def deliver(self, payload: Mapping[str, Any]) -> None:
        """Copy a run: a parent run with the suite's settings, the reports and the table of results, and a nested run a variant.

        Args:
            payload: `{"run": id}`; may be delivered again. A run that is gone or has not finished is left out.

        Raises:
            Exception: whatever MLflow raises when it cannot be reached; the delivery is then to be tried again.
        """
        with self.database.read() as session:
            run = store.get_run(session, payload["run"])
            if run is None or run.state is not RunState.FINISHED:
                return
            project = get_project(session, run.project)
        assert project is not None
        client = self._client()
        experiment = self._experiment(client, f"promptuary/{project.name}/{run.suite}")
        parent = _find_or_create_run(client, experiment, run, None, {})
        if parent.info.status != "FINISHED":
            _log_parent(client, parent.info.run_id, run, project.name, self._links(run))
            with TemporaryDirectory() as folder:
                write_artifacts(self.database, run, Path(folder))
                client.log_artifacts(parent.info.run_id, folder)
            for variant in run.plan.variants:
                child = _find_or_create_run(client, experiment, run, variant, {"mlflow.parentRunId": parent.info.run_id})
                _log_variant(client, child.info.run_id, run, variant, project.name)
                client.set_terminated(child.info.run_id, end_time=_milliseconds(run.finished_at))
            client.set_terminated(parent.info.run_id, end_time=_milliseconds(run.finished_at))
        if run.tracking_id != parent.info.run_id:
            with self.database.write() as session:
                store.set_tracking_id(session, run.id, parent.info.run_id)

    def warm(self) -> None:
        """Import MLflow and connect to it, so that the first delivery need not.

        Raises:
            Exception: whatever MLflow raises when it cannot be reached.
        """
        self._client().get_experiment_by_name("promptuary")

    def _links(self, run: Run) -> dict[str, str]:
        """Say where people find the run here, as far as the settings know."""
        api, ui = self.settings.public_url, self.settings.public_ui_url
        links = {"promptuary.url": f"{api.rstrip('/')}/v1/runs/{run.id}"} if api else {}
        return links | ({"promptuary.ui_url": f"{ui.rstrip('/')}/runs?run={run.id}"} if ui else {})

    def _client(self) -> Any:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if self._local:
            # Else MLflow makes a folder `mlruns` wherever the process happens to stand.
            os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", self._artifacts)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.settings.tracking_uri)

    def _experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        known = client.get_experiment_by_name(name)
        if known is None:
            try:
                return str(client.create_experiment(name, artifact_location=self._artifacts if self._local else None))
            except MlflowException:
                known = client.get_experiment_by_name(name)  # another worker was first
                if known is None:
                    raise
        if known.lifecycle_stage == "deleted":
            client.restore_experiment(known.experiment_id)
        return str(known.experiment_id)

    @property
    def _local(self) -> bool:
        return not self.settings.tracking_uri.startswith(("http://", "https://"))

    @property
    def _artifacts(self) -> str:
        return (self.settings.data_dir / "mlartifacts").resolve().as_uri()


def _find_or_create_run(client: Any, experiment: str, run: Run, variant: Variant | None, more: Mapping[str, str]) -> Any:
    """Give the MLflow run of a run, or of a variant of it; made where there is none, and one only."""
    marks = {RUN_TAG: run.id, VARIANT_TAG: variant.name if variant else "-"}

    def known() -> list[Any]:
        # A variant's name may hold what the filter's language cannot say, so it is compared here.
        found = client.search_runs([experiment], filter_string=f"tags.`{RUN_TAG}` = '{run.id}'", max_results=1000)
        same = [one for one in found if one.data.tags.get(VARIANT_TAG) == marks[VARIANT_TAG]]
        return sorted(same, key=lambda one: str(one.info.run_id))

    if found := known():
        return found[0]
    made = client.create_run(
        experiment,
        start_time=_milliseconds(run.started_at),
        tags={**marks, "mlflow.user": run.actor, **more},
        run_name=variant.name if variant else f"{run.suite} {run.id}",
    )
    kept, *others = known() or [made]
    for other in others:
        client.delete_run(other.info.run_id)
    return kept


def _log_parent(client: Any, tracked: str, run: Run, project: str, links: Mapping[str, str]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    plan, summary = run.plan, run.summary
    params = {
        "suite": run.suite,
        "suite_digest": plan.suite_digest,
        "dataset": f"{plan.dataset.name} v{plan.dataset.number}",
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
        "promptuary.dataset": f"{plan.dataset.name} v{plan.dataset.number}",
        "promptuary.dataset_digest": plan.dataset.digest,
        "promptuary.prompt": plan.suite["prompt"],
        "promptuary.versions": ", ".join(str(number) for number in dict.fromkeys(one.version for one in plan.variants)),
        "promptuary.verdict": run.verdict or "",
        **links,
    }
    metrics: dict[str, float] = {
        "results": run.done,
        "errors": summary.errors if summary else 0,
        "unrunnable": summary.unrunnable if summary else 0,
    }
    for item in summary.comparisons if summary else ():
        _interval(metrics, f"difference.{item.candidate}.{item.baseline}.{item.metric}", item.interval)
    _log(client, tracked, run, params, tags, metrics)
    # Made by hand: MLflow's own classes of data sets import pandas.
    source = json.dumps({"tags": {"project": project, "dataset": plan.dataset.name, "version": str(plan.dataset.number)}})
    digest = plan.dataset.digest.removeprefix("sha256:")[:_DIGEST_LIMIT]
    dataset = Dataset(plan.dataset.name, digest, "code", source)
    client.log_inputs(tracked, [DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])])
    client.set_tag(tracked, NOTE_TAG, summary_markdown(run)[:_NOTE_LIMIT])
    # What `log_table` would set; it appends to a table that is there, so that a second delivery would double the rows.
    client.set_tag(tracked, "mlflow.loggedArtifacts", json.dumps([{"path": RESULTS_FILE, "type": "table"}]))


def _log_variant(client: Any, tracked: str, run: Run, variant: Variant, project: str) -> None:
    figures = run.summary.variant(variant.name) if run.summary else None
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
    metrics = _variant_metrics(figures) if figures else {}
    _log(client, tracked, run, params, tags, metrics)


def _variant_metrics(figures: VariantSummary) -> dict[str, float]:
    metrics: dict[str, float] = {
        "results": figures.results,
        "errors": figures.errors,
        "unrunnable": figures.unrunnable,
    }
    for name, metric in figures.metrics.items():
        _interval(metrics, name, metric.interval)
        metrics[f"{name}_unscored"] = metric.unscored
    if figures.latency_ms:
        metrics |= {"latency_ms_median": figures.latency_ms.median, "latency_ms_slowest": figures.latency_ms.slowest}
    if figures.tokens:
        metrics |= {"tokens_input": figures.tokens.input, "tokens_output": figures.tokens.output}
    return metrics


def _interval(metrics: dict[str, float], name: str, interval: IntervalFigures | None) -> None:
    if interval is not None:
        metrics |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _log(
    client: Any, tracked: str, run: Run, params: Mapping[str, Any], tags: Mapping[str, str], metrics: Mapping[str, float]
) -> None:
    """Log in batches that MLflow takes, all at the run's own time."""
    from mlflow.entities import Metric, Param, RunTag

    at = _milliseconds(run.finished_at)
    client.log_batch(
        tracked,
        params=[Param(name, str(value)[:_VALUE_LIMIT]) for name, value in params.items()],
        tags=[RunTag(name, value[:_VALUE_LIMIT]) for name, value in tags.items()],
    )
    whole = [Metric(re.sub(r"[^\w\-. :]", "_", name), float(value), at, 0) for name, value in metrics.items()]
    for first in range(0, len(whole), _BATCH):
        client.log_batch(tracked, metrics=whole[first : first + _BATCH])


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
