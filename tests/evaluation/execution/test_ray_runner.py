"""Runs on a real Ray cluster of several nodes of this machine: the same results, whoever does the items."""

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
from promptuary.evaluation.runs.service import Evaluations
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.worker.assembly import open_ray_worker

Ground = Callable[..., None]
Submit = Callable[..., Run]
TEXTS = ["yes", "no", "yes, surely"] * 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of three nodes, one processor each, that this process has joined."""
    import ray
    from ray.cluster_utils import Cluster

    patched = pytest.MonkeyPatch()
    patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the workers import the tests' own modules
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(address=made.address, namespace="promptuary", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()
    patched.undo()


def results(executor: RunExecutor, run: Run) -> list[CaseResult]:
    """Give a run's results in the file's order."""
    with executor.database.read() as session:
        return store.list_results(session, run.id)


def said(one: CaseResult) -> tuple[Any, ...]:
    """Give all but the moment and the milliseconds, which differ from one time to the next."""
    return one.ordinal, one.case, one.variant, one.repeat, one.output, one.passed, one.score, one.metrics, one.error


def done(executor: RunExecutor, submit: Submit, on_progress: Callable[[Progress], None] | None = None) -> Run:
    submit()
    held = executor.lease("w")
    assert held is not None
    return executor.execute(held, on_progress)


@contextmanager
def marking(settings: Settings, run: Run, parts: int) -> Iterator[Any]:
    """Hands that leave their process's number in the data directory, so that a test can end one."""
    with open_ray_worker(settings, run, parts) as runner:
        (settings.data_dir / f"hand-{os.getpid()}").touch()
        yield runner


@contextmanager
def paying(settings: Settings, run: Run, parts: int) -> Iterator[Any]:
    """Hands that reach the model server of the test, which is younger than the cluster."""
    os.environ.update(json.loads((settings.data_dir / "environment.json").read_text()))
    with open_ray_worker(settings, run, parts) as worker:
        yield worker


@pytest.mark.usefixtures("database", "cluster")
def test_workers_pay_from_one_purse_and_never_more_than_it_holds(
    create_words_suite: Ground,
    submit_run: Submit,
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
    distributed = replace(executor, run_remotely=RayRunner(settings, paying).run)

    stopped = done(distributed, submit_run)

    assert (stopped.state, stopped.verdict) == (RunState.STOPPED, "infrastructure")
    assert 0 < stopped.done < 400
    assert stub_model.billed(price, price) <= stopped.spent + 1e-9 <= 3.0 + 2e-9
    with author() as unit:
        Evaluations(unit).resume(stopped.id, 100.0)
    held = distributed.lease("w")
    assert held is not None
    finished = distributed.execute(held)
    assert (finished.state, finished.done) == (RunState.FINISHED, 400)
    assert finished.spent == pytest.approx(stub_model.billed(price, price))
    assert stub_model.requests == 400


@pytest.mark.usefixtures("database", "cluster")
def test_one_process_and_three_nodes_give_the_same_results(
    create_words_suite: Ground, submit_run: Submit, executor: RunExecutor, settings: Settings
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.02}]
    create_words_suite(*TEXTS, versions=("{{text}}", "{{text}}!"), gate=gate, repeats=2, concurrency=6)
    distributed = replace(executor, run_remotely=RayRunner(settings, open_ray_worker).run)

    here, there = done(executor, submit_run), done(distributed, submit_run)

    assert (here.done, there.done, there.state) == (480, 480, RunState.FINISHED)
    assert [said(one) for one in results(executor, here)] == [said(one) for one in results(executor, there)]
    assert here.summary is not None
    assert there.summary is not None
    assert here.summary.gates == there.summary.gates
    assert here.verdict == there.verdict == "regression"


@pytest.mark.usefixtures("sqlite", "cluster")
def test_a_worker_that_is_killed_costs_time_and_no_result(
    create_words_suite: Ground, submit_run: Submit, executor: RunExecutor, settings: Settings
) -> None:
    create_words_suite(*TEXTS * 5, concurrency=6)
    ended: list[int] = []

    def end_one(progress: Progress) -> None:
        if progress.done and not ended:
            marked = next(settings.data_dir.glob("hand-*"))
            ended.append(int(marked.name.removeprefix("hand-")))
            os.kill(ended[0], signal.SIGKILL)

    run = done(replace(executor, run_remotely=RayRunner(settings, marking).run), submit_run, end_one)

    assert len(ended) == 1
    assert (run.state, run.done) == (RunState.FINISHED, 600)
    assert [one.ordinal for one in results(executor, run)] == list(range(600))


def broken(settings: Settings, run: Run, parts: int) -> AbstractContextManager[Any]:
    raise OSError("this node has no disk")


@pytest.mark.usefixtures("sqlite", "cluster")
def test_workers_that_cannot_begin_leave_the_run_to_others(
    create_words_suite: Ground, submit_run: Submit, executor: RunExecutor, settings: Settings
) -> None:
    create_words_suite(*TEXTS)
    with pytest.raises(Unavailable, match=r"worker of the Ray cluster is lost.*"):
        done(replace(executor, run_remotely=RayRunner(settings, broken).run), submit_run)

    assert done(executor, lambda: None).done == 120


@pytest.mark.usefixtures("sqlite")
def test_without_ray_the_remedy_is_told(
    create_words_suite: Ground, submit_run: Submit, executor: RunExecutor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_words_suite("yes")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unavailable, match=r"pip install 'promptuary\[ray\]'"):
        done(replace(executor, run_remotely=RayRunner(settings, open_ray_worker).run), submit_run)


@pytest.mark.usefixtures("sqlite")
def test_a_cluster_that_does_not_answer_is_named(
    create_words_suite: Ground, submit_run: Submit, executor: RunExecutor, settings: Settings
) -> None:
    import ray

    create_words_suite("yes")
    if ray.is_initialized():
        ray.shutdown()
    away = settings.model_copy(update={"ray_address": "nowhere-at-all"})
    with pytest.raises(Unavailable, match="the Ray cluster at nowhere-at-all does not answer"):
        done(replace(executor, run_remotely=RayRunner(away, open_ray_worker).run), submit_run)
