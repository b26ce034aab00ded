"""Runs on a real Ray cluster of several nodes of this machine: the same results, whichever worker runs the items."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from doubles.stub_model import StubModelServer
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.ray_runner import RayRunner
from promptuary.evaluation.execution.result_loop import Progress
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.worker.executor_assembly import open_ray_worker

pytestmark = pytest.mark.process

CreateSuite = Callable[..., None]
SubmitRun = Callable[..., Run]
TEXTS = ["yes", "no", "yes, surely"] * 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of three nodes, one processor each, that this process has joined."""
    import ray
    from ray.cluster_utils import Cluster

    patched = pytest.MonkeyPatch()
    patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the workers import the tests' own modules
    local_cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        local_cluster.add_node(num_cpus=1)
    ray.init(address=local_cluster.address, namespace="promptuary", log_to_driver=False)
    yield local_cluster
    ray.shutdown()
    local_cluster.shutdown()
    patched.undo()


def results(executor: RunExecutor, run: Run) -> list[CaseResult]:
    """Return a run's results in the order of the file."""
    with executor.database.read() as session:
        return store.list_results(session, run.id)


def comparable(result: CaseResult) -> tuple[Any, ...]:
    """Return everything but the times, which differ between two executions."""
    return (
        result.ordinal,
        result.case,
        result.variant,
        result.repeat,
        result.output,
        result.passed,
        result.score,
        result.metrics,
        result.error,
    )


def execute_run(executor: RunExecutor, submit: SubmitRun, on_progress: Callable[[Progress], None] | None = None) -> Run:
    submit()
    leased = executor.lease("w")
    assert leased is not None
    return executor.execute(leased, on_progress)


@contextmanager
def open_marked_worker(settings: Settings, run: Run, share: int) -> Iterator[Any]:
    """Open a worker that leaves its process id in the data directory, so that a test can kill it."""
    with open_ray_worker(settings, run, share) as runner:
        (settings.data_dir / f"worker-{os.getpid()}").touch()
        yield runner


@contextmanager
def open_paying_worker(settings: Settings, run: Run, share: int) -> Iterator[Any]:
    """Open a worker that reaches the model server of the test, which was started after the cluster."""
    os.environ.update(json.loads((settings.data_dir / "environment.json").read_text()))
    with open_ray_worker(settings, run, share) as worker:
        yield worker


@pytest.mark.usefixtures("database", "cluster")
def test_workers_share_one_budget_and_never_exceed_it(
    create_words_suite: CreateSuite,
    submit_run: SubmitRun,
    executor: RunExecutor,
    settings: Settings,
    author: Any,
    stub_model: StubModelServer,
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / "environment.json").write_text(
        json.dumps({name: os.environ[name] for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY")})
    )
    price = 1000.0  # a case costs 0.006, and 1.2 is reserved for it
    prices = {"openai:stub": {"input": price, "output": price}}
    texts = [f"case number {number}" for number in range(400)]
    create_words_suite(*texts, models=["openai:stub"], prices=prices, concurrency=6, max_cost=3.0)
    distributed = replace(executor, run_remotely=RayRunner(settings, open_paying_worker).run)

    stopped = execute_run(distributed, submit_run)

    assert (stopped.state, stopped.verdict) == (RunState.STOPPED, "infrastructure")
    assert 0 < stopped.done < 400
    assert stub_model.billed(price, price) <= stopped.spent + 1e-9 <= 3.0 + 2e-9
    with author() as unit:
        RunService(unit).resume(stopped.id, 100.0)
    leased = distributed.lease("w")
    assert leased is not None
    finished = distributed.execute(leased)
    assert (finished.state, finished.done) == (RunState.FINISHED, 400)
    assert finished.spent == pytest.approx(stub_model.billed(price, price))
    assert stub_model.requests == 400


@pytest.mark.usefixtures("database", "cluster")
def test_one_process_and_three_nodes_give_the_same_results(
    create_words_suite: CreateSuite, submit_run: SubmitRun, executor: RunExecutor, settings: Settings
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.02}]
    create_words_suite(*TEXTS, versions=("{{text}}", "{{text}}!"), gate=gate, repeats=2, concurrency=6)
    distributed = replace(executor, run_remotely=RayRunner(settings, open_ray_worker).run)

    here, there = execute_run(executor, submit_run), execute_run(distributed, submit_run)

    assert (here.done, there.done, there.state) == (480, 480, RunState.FINISHED)
    assert [comparable(result) for result in results(executor, here)] == [
        comparable(result) for result in results(executor, there)
    ]
    assert here.summary is not None
    assert there.summary is not None
    assert here.summary.gates == there.summary.gates
    assert here.verdict == there.verdict == "regression"


@pytest.mark.usefixtures("sqlite", "cluster")
def test_a_killed_worker_loses_no_result(
    create_words_suite: CreateSuite, submit_run: SubmitRun, executor: RunExecutor, settings: Settings
) -> None:
    create_words_suite(*TEXTS * 5, concurrency=6)
    killed: list[int] = []

    def kill_worker(progress: Progress) -> None:
        if progress.done and not killed:
            marked = next(settings.data_dir.glob("worker-*"))
            killed.append(int(marked.name.removeprefix("worker-")))
            os.kill(killed[0], signal.SIGKILL)

    run = execute_run(replace(executor, run_remotely=RayRunner(settings, open_marked_worker).run), submit_run, kill_worker)

    assert len(killed) == 1
    assert (run.state, run.done) == (RunState.FINISHED, 600)
    assert [result.ordinal for result in results(executor, run)] == list(range(600))


def broken(settings: Settings, run: Run, share: int) -> AbstractContextManager[Any]:
    raise OSError("this node has no disk")


@pytest.mark.usefixtures("sqlite", "cluster")
def test_a_run_is_released_if_its_workers_cannot_start(
    create_words_suite: CreateSuite, submit_run: SubmitRun, executor: RunExecutor, settings: Settings
) -> None:
    create_words_suite(*TEXTS)
    with pytest.raises(Unavailable, match=r"worker of the Ray cluster is lost.*"):
        execute_run(replace(executor, run_remotely=RayRunner(settings, broken).run), submit_run)

    assert execute_run(executor, lambda: None).done == 120


@pytest.mark.usefixtures("sqlite")
def test_the_error_without_ray_names_the_remedy(
    create_words_suite: CreateSuite,
    submit_run: SubmitRun,
    executor: RunExecutor,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite("yes")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unavailable, match=r"pip install 'promptuary\[ray\]'"):
        execute_run(replace(executor, run_remotely=RayRunner(settings, open_ray_worker).run), submit_run)


@pytest.mark.usefixtures("sqlite")
def test_a_cluster_that_does_not_answer_is_named(
    create_words_suite: CreateSuite, submit_run: SubmitRun, executor: RunExecutor, settings: Settings
) -> None:
    import ray

    create_words_suite("yes")
    if ray.is_initialized():
        ray.shutdown()
    away = settings.model_copy(update={"ray_address": "nowhere-at-all"})
    with pytest.raises(Unavailable, match="the Ray cluster at nowhere-at-all does not answer"):
        execute_run(replace(executor, run_remotely=RayRunner(away, open_ray_worker).run), submit_run)
