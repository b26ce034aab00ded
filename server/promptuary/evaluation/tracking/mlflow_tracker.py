"""The copy of a finished run in MLflow, written from the outbox; it can be written again. The only module that imports MLflow.

A message may be delivered twice, and by two workers at once. So a run is searched by its tag before it is created and again
after, and of several the run with the smallest id stays. Metrics have the run's own time: logging them again changes nothing.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promptuary.access.store import get_project
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.tracking.artifacts import RESULTS_FILE, summary_markdown, write_artifacts
from promptuary.evaluation.tracking.local_database import LocalDatabase
from promptuary.evaluation.tracking.logged_values import LoggedValues, run_values, variant_values

RUN_TAG = "promptuary.run"
VARIANT_TAG = "promptuary.variant"
NOTE_TAG = "mlflow.note.content"
_BATCH = 100
_VALUE_LIMIT = 500
_NOTE_LIMIT = 5000
_DIGEST_LIMIT = 36
# By default MLflow sends usage data, and waits minutes for a server that is down. Values that an operator has set stay.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


@dataclass(frozen=True)
class MlflowTracker:
    """Copies finished runs to the MLflow that the settings name.

    Attributes:
        settings: the tracking URI; with a local one, artifacts go to `mlartifacts` in the data directory.
        database: contains the runs.
    """

    settings: Settings
    database: Database

    @cached_property
    def _local_database(self) -> LocalDatabase:
        return LocalDatabase(self.settings.tracking_uri)

    def deliver(self, payload: Mapping[str, Any]) -> None:
        """Copy a run: a parent run with the suite's settings, reports and results, and a nested run for each variant.

        Args:
            payload: `{"run": id}`; may be delivered again. A run that is deleted or has not finished is left out. With
                `"rewrite": true` a copy that is there gets its reports and results again, after an erasure in this database.

        Raises:
            Unavailable: if MLflow cannot be reached; the delivery must then be retried.
            Exception: what MLflow raises if it refuses something.
        """
        with _reachable():
            self._deliver(payload)

    def _deliver(self, payload: Mapping[str, Any]) -> None:
        with self.database.read() as session:
            run = store.get_run(session, payload["run"])
            if run is None or run.state is not RunState.FINISHED:
                return
            project = get_project(session, run.project)
        assert project is not None
        client = self._client()
        try:
            self._copy(client, run, project.name, rewrite=payload.get("rewrite", False))
        finally:
            self._local_database.record_use()

    def _copy(self, client: Any, run: Run, project: str, *, rewrite: bool) -> None:
        experiment = self._experiment(client, f"promptuary/{project}/{run.suite}")
        parent = _find_or_create_run(client, experiment, run, None, {})
        if parent.info.status == "FINISHED" and rewrite:
            self._log_artifacts(client, parent.info.run_id, run)
        if parent.info.status != "FINISHED":
            _log_values(client, parent.info.run_id, run, run_values(run, project, self._links(run)))
            _log_dataset(client, parent.info.run_id, run, project)
            _log_notes(client, parent.info.run_id, run)
            self._log_artifacts(client, parent.info.run_id, run)
            for variant in run.plan.variants:
                child = _find_or_create_run(client, experiment, run, variant, {"mlflow.parentRunId": parent.info.run_id})
                _log_values(client, child.info.run_id, run, variant_values(run, variant, project))
                client.set_terminated(child.info.run_id, end_time=_milliseconds(run.finished_at))
            client.set_terminated(parent.info.run_id, end_time=_milliseconds(run.finished_at))
        if run.tracking_id != parent.info.run_id:
            with self.database.write() as session:
                store.set_tracking_id(session, run.id, parent.info.run_id)

    def _log_artifacts(self, client: Any, tracked: str, run: Run) -> None:
        """Write the reports and the results; files that are there are replaced."""
        with TemporaryDirectory() as folder:
            write_artifacts(self.database, run, Path(folder))
            client.log_artifacts(tracked, folder)

    def warm(self) -> None:
        """Import MLflow and connect to it, so that the first delivery is fast.

        Raises:
            Exception: what MLflow raises if it cannot be reached.
        """
        self._client().get_experiment_by_name("promptuary")

    def _links(self, run: Run) -> dict[str, str]:
        """Return the addresses of the run in the API and the UI, as far as the settings have them."""
        api, ui = self.settings.public_url, self.settings.public_ui_url
        links = {"promptuary.url": f"{api.rstrip('/')}/v1/runs/{run.id}"} if api else {}
        return links | ({"promptuary.ui_url": f"{ui.rstrip('/')}/runs?run={run.id}"} if ui else {})

    def _client(self) -> Any:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if self._local:
            # Otherwise MLflow creates a folder `mlruns` in the current directory.
            os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", self._artifacts)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._local_database.current_uri())

    def _experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(client.create_experiment(name, artifact_location=self._artifacts if self._local else None))
            except MlflowException:
                experiment = client.get_experiment_by_name(name)  # another worker was first
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    @property
    def _local(self) -> bool:
        return not self.settings.tracking_uri.startswith(("http://", "https://"))

    @property
    def _artifacts(self) -> str:
        return (self.settings.data_dir / "mlartifacts").resolve().as_uri()


@contextmanager
def _reachable() -> Iterator[None]:
    """Translate MLflow's errors of a server or a database that does not work; those of a refused request stay as they are."""
    try:
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise Unavailable("MLflow is not installed; install promptuary[eval]", retry_after=60) from error
    try:
        yield
    except MlflowException as error:
        if error.get_http_status_code() < 500:
            raise
        raise Unavailable(f"MLflow does not answer: {error.message}"[:400], 5) from error


def _find_or_create_run(client: Any, experiment: str, run: Run, variant: Variant | None, tags: Mapping[str, str]) -> Any:
    """Return the MLflow run of a run, or of one of its variants; create it if there is none, and delete duplicates."""
    variant_tag = variant.name if variant else "-"

    def search() -> list[Any]:
        # The filter language cannot express every variant's name, so the name is compared here.
        runs = client.search_runs([experiment], filter_string=f"tags.`{RUN_TAG}` = '{run.id}'", max_results=1000)
        matches = [tracked for tracked in runs if tracked.data.tags.get(VARIANT_TAG) == variant_tag]
        return sorted(matches, key=lambda tracked: str(tracked.info.run_id))

    if existing := search():
        return existing[0]
    created = client.create_run(
        experiment,
        start_time=_milliseconds(run.started_at),
        tags={RUN_TAG: run.id, VARIANT_TAG: variant_tag, "mlflow.user": run.actor, **tags},
        run_name=variant.name if variant else f"{run.suite} {run.id}",
    )
    first, *duplicates = search() or [created]
    for duplicate in duplicates:
        client.delete_run(duplicate.info.run_id)
    return first


def _log_dataset(client: Any, tracked: str, run: Run, project: str) -> None:
    """Log the dataset version as the input of the run. MLflow's own dataset classes import pandas, so none is used."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = run.plan.dataset
    source = json.dumps({"tags": {"project": project, "dataset": dataset.name, "version": str(dataset.number)}})
    digest = dataset.digest.removeprefix("sha256:")[:_DIGEST_LIMIT]
    entity = Dataset(dataset.name, digest, "code", source)
    client.log_inputs(tracked, [DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])])


def _log_notes(client: Any, tracked: str, run: Run) -> None:
    """Log the run's description, and declare the table of results."""
    client.set_tag(tracked, NOTE_TAG, summary_markdown(run)[:_NOTE_LIMIT])
    # `log_table` would set this tag too, but it appends to an existing table: a second delivery would double the rows.
    client.set_tag(tracked, "mlflow.loggedArtifacts", json.dumps([{"path": RESULTS_FILE, "type": "table"}]))


def _log_values(client: Any, tracked: str, run: Run, values: LoggedValues) -> None:
    """Log parameters, tags and metrics in batches that MLflow accepts, all with the run's own time."""
    from mlflow.entities import Metric, Param, RunTag

    at = _milliseconds(run.finished_at)
    client.log_batch(
        tracked,
        params=[Param(name, str(value)[:_VALUE_LIMIT]) for name, value in values.params.items()],
        tags=[RunTag(name, value[:_VALUE_LIMIT]) for name, value in values.tags.items()],
    )
    metrics = [Metric(re.sub(r"[^\w\-. :]", "_", name), float(value), at, 0) for name, value in values.metrics.items()]
    for first in range(0, len(metrics), _BATCH):
        client.log_batch(tracked, metrics=metrics[first : first + _BATCH])


def _milliseconds(timestamp: datetime | None) -> int:
    return int(timestamp.timestamp() * 1000) if timestamp else 0
