"""Finished runs in a real MLflow on SQLite, and what happens without one."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from promptuary.core import outbox
from promptuary.evaluation.datasets.user_case_store import CallOrigin, erase_cases, find_user_cases
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.tracking.artifacts import NOTES_FILE, REPORT_FILE, RESULTS_FILE, SUMMARY_FILE
from promptuary.evaluation.tracking.case_erasure import RunsErased, erase_in_runs
from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
# MLflow calls SQLAlchemy in a way that a later release of SQLAlchemy removes.
pytestmark = pytest.mark.process
GATE = [{"metric": "exact", "not_worse_than": "production", "by": 0.05}]


@contextmanager
def restored_environment() -> Iterator[None]:
    """Restore the environment of this process after the block."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    with restored_environment():
        yield


@pytest.fixture
def run(create_words_suite: Make, submit_run: Make, executor: RunExecutor) -> Run:
    """A finished run of two versions over three cases."""
    create_words_suite("yes", "no", "=A1", versions=("{{text}}", "{{text}}!"), gate=GATE)
    submit_run()
    leased = executor.lease("w1")
    assert leased is not None
    return executor.execute(leased)


@pytest.fixture(scope="session")
def mlflow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables, of which a test gets a copy: creating them takes seconds."""
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings

    folder = tmp_path_factory.mktemp("mlflow")
    with restored_environment():
        MlflowTracker(
            read_settings(data_dir=folder), Database(f"sqlite:///{folder / 'none.db'}")
        )._client().search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def tracker(settings: Any, opened_database: Any, mlflow_file: Path) -> MlflowTracker:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "mlflow.db").write_bytes(mlflow_file.read_bytes())
    return MlflowTracker(settings, opened_database)


def runs_of(tracker: MlflowTracker) -> tuple[Any, list[Any]]:
    """Return the parent run and its children, and check that there are no other runs."""
    client = tracker._client()
    experiment = client.get_experiment_by_name("promptuary/default/words")
    runs = client.search_runs([experiment.experiment_id])
    children = [tracked for tracked in runs if "mlflow.parentRunId" in tracked.data.tags]
    (parent,) = [tracked for tracked in runs if tracked not in children]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    return parent, sorted(children, key=lambda child: str(child.info.run_name))


def run_ids(tracked: tuple[Any, list[Any]]) -> list[str]:
    parent, children = tracked
    return [run.info.run_id for run in (parent, *children)]


def test_a_run_is_copied_whole(run: Run, tracker: MlflowTracker, author: Open, settings: Any) -> None:
    tracker.deliver({"run": run.id})

    parent, (v1, v2) = runs_of(tracker)
    assert (parent.info.status, v1.info.status, v2.info.status) == ("FINISHED",) * 3
    assert parent.data.tags["promptuary.run"] == run.id
    assert parent.data.tags["promptuary.verdict"] == run.verdict
    assert parent.data.params["suite_digest"] == run.plan.suite_digest
    assert parent.data.metrics["difference.v2.v1.exact"] == pytest.approx(-1 / 3)
    assert v1.data.tags["promptuary.role"] == "baseline"
    assert v2.data.tags["promptuary.digest"] == v2.data.params["digest"] == run.plan.variants[0].digest
    assert v2.data.params["version"] == "2"
    assert v1.data.metrics["exact"] == pytest.approx(1 / 3)
    assert v1.data.metrics["exact_low"] < v1.data.metrics["exact"] < v1.data.metrics["exact_high"]
    (used,) = parent.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("words", run.plan.dataset.digest[7:43])
    with author() as unit:
        assert RunService(unit).get(run.id).tracking_id == parent.info.run_id


def test_the_table_of_results_can_be_loaded(run: Run, tracker: MlflowTracker, settings: Any) -> None:
    tracker.deliver({"run": run.id})

    parent, _ = runs_of(tracker)
    (file,) = (settings.data_dir / "mlartifacts").rglob(RESULTS_FILE)
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["case"], row["variant"], row["exact"]) for row in rows][:2] == [("c1", "v2", 0.0), ("c1", "v1", 1.0)]
    assert len(rows) == 6
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [{"path": RESULTS_FILE, "type": "table"}]


def test_the_copy_has_the_origin_and_the_verdict_of_the_run(run: Run, tracker: MlflowTracker) -> None:
    urls = {"public_url": "https://prompts.example/", "public_ui_url": "https://prompts.example/ui"}
    replace(tracker, settings=tracker.settings.model_copy(update=urls)).deliver({"run": run.id})

    parent, _ = runs_of(tracker)
    tags = parent.data.tags
    assert tags["promptuary.url"] == f"https://prompts.example/v1/runs/{run.id}"
    assert tags["promptuary.ui_url"] == f"https://prompts.example/ui/runs?run={run.id}"
    assert (tags["promptuary.suite"], tags["promptuary.suite_digest"]) == ("words", run.plan.suite_digest)
    assert (tags["promptuary.dataset"], tags["promptuary.dataset_digest"]) == ("words v1", run.plan.dataset.digest)
    assert (tags["promptuary.prompt"], tags["promptuary.versions"]) == ("word", "2, 1")
    assert tags["mlflow.note.content"].startswith(f"## words: {run.verdict}\n")


def test_without_an_address_there_is_no_link(run: Run, tracker: MlflowTracker) -> None:
    tracker.deliver({"run": run.id})

    assert [name for name in runs_of(tracker)[0].data.tags if name.endswith("url")] == []


def test_the_reports_are_stored_beside_the_table(run: Run, tracker: MlflowTracker, settings: Any) -> None:
    tracker.deliver({"run": run.id})

    parent, _ = runs_of(tracker)
    listed = [artifact.path for artifact in tracker._client().list_artifacts(parent.info.run_id)]
    assert listed == [REPORT_FILE, RESULTS_FILE, SUMMARY_FILE, NOTES_FILE]
    folder = (settings.data_dir / "mlartifacts" / parent.info.run_id / "artifacts").resolve()
    assert json.loads((folder / SUMMARY_FILE).read_text())["verdict"] == run.verdict
    assert f"<title>words: {run.verdict}</title>" in (folder / REPORT_FILE).read_text()
    assert (folder / NOTES_FILE).read_text().startswith(f"## words: {run.verdict}\n")
    assert "<code>c1</code> fell by 1.000" in (folder / NOTES_FILE).read_text()


def test_results_are_copied_a_page_at_a_time(run: Run, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.evaluation.runs import store
    from promptuary.evaluation.tracking import artifacts

    limits: list[int | None] = []
    results = store.list_results

    def watched(session: Any, run_id: str, after: int | None = None, limit: int | None = None) -> Any:
        limits.append(limit)
        return results(session, run_id, after, limit)

    monkeypatch.setattr(artifacts, "_PAGE", 4)
    monkeypatch.setattr(store, "list_results", watched)
    tracker.deliver({"run": run.id})

    assert limits == [4, 4, 4]
    (file,) = (tracker.settings.data_dir / "mlartifacts").rglob(RESULTS_FILE)
    assert [row[:3] for row in json.loads(file.read_text())["data"]] == [
        [case, variant, 0] for case in ("c1", "c2", "c3") for variant in ("v2", "v1")
    ]


def test_a_second_delivery_changes_nothing(run: Run, tracker: MlflowTracker) -> None:
    tracker.deliver({"run": run.id})
    before = runs_of(tracker)
    tracker.deliver({"run": run.id})

    after = runs_of(tracker)
    assert run_ids(after) == run_ids(before)


def test_an_interrupted_delivery_is_completed_by_the_next(
    run: Run, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.evaluation.tracking import mlflow_tracker

    def crash(*_: Any) -> None:
        raise ConnectionError("gone in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracker, "variant_values", crash)
        with pytest.raises(ConnectionError):
            tracker.deliver({"run": run.id})
    tracker.deliver({"run": run.id})

    parent, children = runs_of(tracker)
    assert parent.info.status == "FINISHED"
    assert len(children) == 2
    history = tracker._client().get_metric_history(parent.info.run_id, "results")
    assert [point.value for point in history] == [6.0]


def test_two_workers_that_copy_a_run_at_once_leave_one_copy(
    run: Run, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker creates its run between this worker's search and its own run."""
    from mlflow import MlflowClient

    create_run = MlflowClient.create_run

    def twice(client: Any, *args: Any, **more: Any) -> Any:
        create_run(client, *args, **more)
        return create_run(client, *args, **more)

    monkeypatch.setattr(MlflowClient, "create_run", twice)
    tracker.deliver({"run": run.id})

    _, children = runs_of(tracker)
    assert [child.info.run_name for child in children] == ["v1", "v2"]


def test_a_deleted_or_unfinished_run_is_not_copied(run: Run, submit_run: Make, tracker: MlflowTracker) -> None:
    tracker.deliver({"run": "run_0"})
    tracker.deliver({"run": submit_run().id})

    assert tracker._client().get_experiment_by_name("promptuary/default/words") is None


def test_nothing_is_written_to_the_current_directory(
    run: Run, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    monkeypatch.chdir(directory)

    tracker.deliver({"run": run.id})

    assert list(directory.iterdir()) == []


def test_mlflow_sends_no_usage_data(tracker: MlflowTracker) -> None:
    tracker._client()
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert is_telemetry_disabled()


def test_without_mlflow_a_run_finishes_and_its_message_waits(
    run: Run, settings: Any, opened_database: Any, clock: Any, author: Open
) -> None:
    away = MlflowTracker(settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"}), opened_database)

    delivery = outbox.relay(opened_database, clock, TRACKING_TOPIC, away.deliver)

    assert run.verdict is not None
    assert (delivery.delivered, delivery.failed) == (0, 1)
    assert "127.0.0.1" in (delivery.error or "")
    with author() as unit:
        assert outbox.count_pending(unit.session, TRACKING_TOPIC) == 1
        assert RunService(unit).get(run.id).tracking_id is None


def test_mlflow_gets_waiting_messages_once_it_is_back(
    run: Run, settings: Any, opened_database: Any, clock: Any, tracker: MlflowTracker
) -> None:
    away = replace(tracker, settings=settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"}))
    outbox.relay(opened_database, clock, TRACKING_TOPIC, away.deliver)
    clock.move(minutes=1)

    assert outbox.relay(opened_database, clock, TRACKING_TOPIC, tracker.deliver).delivered == 1
    assert runs_of(tracker)[0].data.tags["promptuary.run"] == run.id


class Refusing(BaseHTTPRequestHandler):
    """An MLflow server that is running but does not work: it answers every request with 503."""

    requests: ClassVar[list[str]] = []

    def _refuse(self) -> None:
        self.requests.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _refuse  # the names that the base class looks for

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def test_a_refused_message_is_delivered_once_the_server_works(
    run: Run,
    settings: Any,
    opened_database: Any,
    clock: Any,
    tracker: MlflowTracker,
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        refused = replace(tracker, settings=settings.model_copy(update={"mlflow_tracking_uri": url}))
        delivery = outbox.relay(opened_database, clock, TRACKING_TOPIC, refused.deliver)
        server.shutdown()
        thread.join()
    assert (delivery.delivered, delivery.failed) == (0, 1)
    assert Refusing.requests
    with author() as unit:
        assert outbox.count_pending(unit.session, TRACKING_TOPIC) == 1
        assert RunService(unit).get(run.id).verdict == run.verdict

    clock.move(minutes=1)
    assert outbox.relay(opened_database, clock, TRACKING_TOPIC, tracker.deliver).delivered == 1
    parent, children = runs_of(tracker)
    assert (parent.data.tags["promptuary.run"], len(children)) == (run.id, 2)


def test_a_run_with_missing_cases_is_copied_with_the_others(
    run: Run, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.evaluation.runs import store

    results = store.list_results
    monkeypatch.setattr(store, "list_results", lambda *of: [result for result in results(*of) if result.case != "c2"])
    tracker.deliver({"run": run.id})

    folder = tracker.settings.data_dir / "mlartifacts"
    ((table,), (page,)) = list(folder.rglob(RESULTS_FILE)), list(folder.rglob(REPORT_FILE))
    assert [row[0] for row in json.loads(table.read_text())["data"]] == ["c1", "c1", "c3", "c3"]
    assert '<div class="text">=A1</div>' in page.read_text()  # the input of c3


def test_a_database_that_is_deleted_in_use_is_created_again(tracker: MlflowTracker, run: Run) -> None:
    file = tracker.settings.data_dir / "mlflow.db"
    for _ in range(2):
        tracker.deliver({"run": run.id})
        parent, _ = runs_of(tracker)
        assert parent.info.status == "FINISHED"
        for leftover in file.parent.glob("mlflow.db*"):
            leftover.unlink()
    tracker.deliver({"run": run.id})
    assert file.is_file()


def erase(author: Open, case: str) -> RunsErased:
    with author() as unit:
        cases = find_user_cases(unit.session, unit.caller.project, CallOrigin([case], "user:x"))
        erased = erase_in_runs(unit, cases)
        erase_cases(unit.session, cases, "user:x")
    return erased


@pytest.mark.usefixtures("database")
def test_a_copy_is_written_again_without_an_erased_case(
    create_words_suite: Make, submit_run: Make, executor: RunExecutor, tracker: MlflowTracker, author: Open, clock: Any
) -> None:
    create_words_suite("Zwiebelkuchen", "yes")
    submit_run()
    leased = executor.lease("w1")
    assert leased is not None
    run = executor.execute(leased)
    outbox.relay(tracker.database, clock, TRACKING_TOPIC, tracker.deliver)
    folder = tracker.settings.data_dir / "mlartifacts"

    def texts() -> str:
        return "".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())

    assert "Zwiebelkuchen" in texts()
    erased = erase(author, "c1")
    (tracked, _) = runs_of(tracker)
    assert (erased.results, len(erased.remaining)) == (1, 1)
    assert run.id in erased.remaining[0]
    assert tracked.info.run_id in erased.remaining[0]
    assert erase(author, "c1").remaining == erased.remaining  # it stands until the worker has done it
    outbox.relay(tracker.database, clock, TRACKING_TOPIC, tracker.deliver)
    assert "Zwiebelkuchen" not in texts()
    assert "yes" in texts()
    again = erase(author, "c1")
    assert (again.results, again.remaining) == (0, [])


@pytest.mark.usefixtures("database")
def test_a_later_run_leaves_an_erased_case_out(create_words_suite: Make, author: Open) -> None:
    create_words_suite("yes", "no", "=A1")
    with author() as unit:
        queued = RunService(unit).submit(RunRequest(suite="words"))
    erase(author, "c1")
    with author() as unit:
        assert RunService(unit).get(queued.id).state == "cancelled"
        run = RunService(unit).submit(RunRequest(suite="words"))
    assert run.plan.part is not None
    assert (run.plan.dataset.cases, run.plan.part.cases, run.plan.part.erased) == (2, 3, 1)
