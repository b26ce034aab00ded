"""A run from its submission to its end: by a worker where there is a server, else in this process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from promptuary.cli.connection import ApiClient, NotInstalled, path_segment
from promptuary.cli.evaluation.suites import PromptfooOptions, register_candidate, store_suite
from promptuary.cli.output import print_line
from promptuary.evaluation.reports.terminal import terminal_lines
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_prompt_folder
from promptuary.prompt.text import format_usd

if TYPE_CHECKING:
    from promptuary.api.services import Services

POLL_SECONDS = 0.5
TRACKING_SECONDS = 15.0


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: results there are, results there will be, US dollars spent by it and by its judges."""

    done: int
    total: int
    spent: float


class Executor(StrEnum):
    """Where a run's cases are done."""

    LOCAL = "local"
    """In this process, or as its settings say."""
    RAY = "ray"
    """On a Ray cluster: the one that PROMPTUARY_RAY_ADDRESS names, or this machine's processors."""


OnProgress = Callable[[RunProgress], None]


def run_suite(
    api: ApiClient,
    suite: str,
    changes: dict[str, Any],
    prompts: Path | None = None,
    baseline: str | None = None,
    resume: str | None = None,
    project: str | None = None,
    executor: Executor = Executor.LOCAL,
    reading: PromptfooOptions | None = None,
) -> Any:
    """Run one suite to its end and print what it says; gives the run."""
    if executor is not Executor.LOCAL and api.parts is None:
        raise Invalid(
            "the executor cannot be chosen here",
            [FieldError("--executor", "the server's workers do the run; PROMPTUARY_EXECUTOR chooses theirs")],
        )
    if resume is not None:
        submitted = _resume(api, resume, changes["max_cost"])
    else:
        tried = read_prompt_folder(prompts) if prompts else None
        found = store_suite(api, suite, reading)
        version = None if tried is None else register_candidate(api, tried, found.prompt)
        versions = list(found.versions) if found.versions and version is None else None
        reference = None if baseline is None or baseline.startswith("run_") else _reference(baseline)
        submitted = api.post(
            "/runs", {"suite": found.name, "version": version, "versions": versions, "baseline": reference, **changes}
        )
    with _progress(submitted["suite"]) as on_progress:
        _wait_for_run(
            api,
            submitted["id"],
            on_progress,
            lambda: (
                api.parts is not None
                and _execute_locally(api.parts, submitted["id"], project, on_progress, executor)
                and _deliver_to_mlflow(api)
            ),
        )
    done = api.get(f"/runs/{submitted['id']}")
    for text in terminal_lines(done):
        print_line(text)
    if done["state"] == "stopped":
        print_line(f"  it goes on with: promptuary eval run {suite} --resume {done['id']} --max-cost …")
    elif done["state"] == "finished":
        print_line(f"  MLflow run: {done['tracking_id'] or 'not delivered yet; the worker delivers it when MLflow answers'}")
    return done


def _resume(api: ApiClient, run_id: str, max_cost: float | None) -> Any:
    """Let a run go on: under another ceiling where one is given, or as it is; one that its ceiling has stopped needs one."""
    found = api.get(f"/runs/{path_segment(run_id)}")
    if max_cost is None and found["state"] != "stopped":
        return found
    return api.post(f"/runs/{path_segment(run_id)}/resume", {"max_cost": max_cost})


def _reference(baseline: str) -> int | str:
    return int(baseline) if baseline.isdigit() else baseline


def _wait_for_run(api: ApiClient, run_id: str, on_progress: OnProgress, take: Callable[[], bool]) -> None:
    """Do a run here where `take` can, else wait until a worker has done it, and a little longer for MLflow to have it."""
    patience = TRACKING_SECONDS
    while True:
        current = api.get(f"/runs/{run_id}")
        on_progress(RunProgress(current["done"], current["total"], current["spent"]))
        over = current["state"] not in ("queued", "running")
        if over and (current["tracking_id"] or current["state"] != "finished" or patience <= 0):
            return
        if not over and take():
            return
        patience -= POLL_SECONDS if over else 0
        time.sleep(POLL_SECONDS)


def _execute_locally(parts: "Services", run_id: str, project: str | None, on_progress: OnProgress, executor: Executor) -> bool:
    """Do a run in this process, as a worker would; False where a worker was faster to take it."""
    try:
        from promptuary.models.chat_models import ChatModels
        from promptuary.worker.assembly import build_executor
    except ModuleNotFoundError as error:
        raise NotInstalled(f"running a suite needs {error.name}; install promptuary[evaluation,context,local]") from None
    from promptuary.access.service import DEFAULT_PROJECT, local_caller
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.core.errors import Conflict
    from promptuary.evaluation.runs.service import Evaluations
    from promptuary.worker.loop import worker_name

    try:
        caller = local_caller(parts.database, parts.clock(), project or DEFAULT_PROJECT)
        with parts.database.write() as session:
            held = Evaluations(UnitOfWork(session, caller, parts.clock, parts.settings)).hold(run_id, worker_name())
    except Conflict:
        return False
    models = ChatModels(parts.settings)
    try:
        settings = parts.settings
        if executor is not Executor.LOCAL:
            settings = settings.model_copy(update={"executor": executor.value})
        run_executor = build_executor(settings, parts.database, parts.clock, parts.retrieval, models)
        run_executor.execute(held, lambda now: on_progress(RunProgress(now.done, now.total, now.spent)))
    finally:
        models.close()
    return True


def _deliver_to_mlflow(api: ApiClient) -> bool:
    """Have MLflow given what is due, by the process that stands ready for it or else by this one."""
    from promptuary.core import outbox
    from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
    from promptuary.evaluation.tracking.topic import TRACKING_TOPIC

    if api.deliver is not None:
        api.deliver()
    elif api.parts is not None:
        tracker = MlflowTracker(api.parts.settings, api.parts.database)
        outbox.relay(api.parts.database, api.parts.clock, TRACKING_TOPIC, tracker.deliver)
    return True


@contextmanager
def _progress(suite: str) -> Iterator[OnProgress]:
    """Show how far a run is: a bar on a terminal, else a line now and then; both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _ProgressLines(suite)
        return
    figures = TextColumn("{task.fields[figures]}")
    columns = (TextColumn(suite), BarColumn(), MofNCompleteColumn(), figures, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task, pace = bar.add_task(suite, total=None, figures=""), ProgressRate()
        yield lambda now: bar.update(task, completed=now.done, total=now.total, figures=pace.figures(now))


class ProgressRate:
    """The figures beside a run's progress: results a second since this process looks on, dollars, and the time left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start when the run is first seen; what was done before says nothing of the pace."""
        self._clock = clock
        self._began: tuple[float, int] | None = None

    def figures(self, now: RunProgress) -> str:
        """Give the figures that are known, as `12.5/s, $0.03, 0:01:20 left`."""
        moment = self._clock()
        if self._began is None:
            self._began = (moment, now.done)
        seconds, done = moment - self._began[0], now.done - self._began[1]
        rate = done / seconds if seconds > 0 else 0.0
        told = [f"{rate:.3g}/s"] if rate > 0 else []
        if now.spent > 0:
            told.append(format_usd(now.spent))
        if rate > 0 and now.done < now.total:
            told.append(f"{timedelta(seconds=round((now.total - now.done) / rate))} left")
        return ", ".join(told)


class _ProgressLines:
    """A line of progress each tenth of the way."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._told = -1
        self._pace = ProgressRate()

    def __call__(self, now: RunProgress) -> None:
        tenth = now.done * 10 // now.total if now.total else 10
        figures = self._pace.figures(now)
        if tenth > self._told:
            self._told = tenth
            typer.echo(f"{self._suite}: {now.done} of {now.total}" + (f" ({figures})" if figures else ""), err=True)
