"""A run from its submission to its end: by a worker where there is a server, else in this process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from promptuary.cli import report
from promptuary.cli.connection import Api, NotInstalled, part
from promptuary.cli.output import line
from promptuary.cli.suites import Reading, registered, stored
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import find_prompts

if TYPE_CHECKING:
    from promptuary.api.parts import Parts

POLL_SECONDS = 0.5
TRACKING_SECONDS = 15.0


class Executor(StrEnum):
    """Where a run's cases are done."""

    LOCAL = "local"
    """In this process, or as its settings say."""
    RAY = "ray"
    """On a Ray cluster: the one that PROMPTUARY_RAY_ADDRESS names, or this machine's processors."""


OnProgress = Callable[[int, int], None]


def run_suite(
    api: Api,
    suite: str,
    changes: dict[str, Any],
    prompts: Path | None = None,
    baseline: str | None = None,
    resume: str | None = None,
    project: str | None = None,
    executor: Executor = Executor.LOCAL,
    reading: Reading | None = None,
) -> tuple[Any, list[Any]]:
    """Run one suite to its end and print what it says; gives the run and its results."""
    if executor is not Executor.LOCAL and api.parts is None:
        raise Invalid(
            "the executor cannot be chosen here",
            [Fault("--executor", "the server's workers do the run; PROMPTUARY_EXECUTOR chooses theirs")],
        )
    if resume is not None:
        submitted = api.get(f"/runs/{part(resume)}")
    else:
        tried = find_prompts(prompts) if prompts else None
        found = stored(api, suite, reading)
        version = None if tried is None else registered(api, tried, found.prompt)
        versions = list(found.versions) if found.versions and version is None else None
        reference = None if baseline is None or baseline.startswith("run_") else _reference(baseline)
        submitted = api.post(
            "/runs", {"suite": found.name, "version": version, "versions": versions, "baseline": reference, **changes}
        )
    with _progress(submitted["suite"]) as on_progress:
        _follow(
            api,
            submitted["id"],
            on_progress,
            lambda: api.parts is not None and _done_here(api.parts, submitted["id"], project, on_progress, executor),
        )
    done = api.get(f"/runs/{submitted['id']}")
    results = list(api.items(f"/runs/{submitted['id']}/results"))
    for text in report.text(done):
        line(text)
    if done["state"] == "finished":
        line(f"  MLflow run: {done['tracking_id'] or 'not delivered yet; the worker delivers it when MLflow answers'}")
    return done, results


def _reference(baseline: str) -> int | str:
    return int(baseline) if baseline.isdigit() else baseline


def _follow(api: Api, run_id: str, on_progress: OnProgress, take: Callable[[], bool]) -> None:
    """Do a run here where `take` can, else wait until a worker has done it, and a little longer for MLflow to have it."""
    patience = TRACKING_SECONDS
    while True:
        current = api.get(f"/runs/{run_id}")
        on_progress(current["done"], current["total"])
        over = current["state"] not in ("queued", "running")
        if over and (current["tracking_id"] or current["state"] != "finished" or patience <= 0):
            return
        if not over and take():
            return
        patience -= POLL_SECONDS if over else 0
        time.sleep(POLL_SECONDS)


def _done_here(parts: "Parts", run_id: str, project: str | None, on_progress: OnProgress, executor: Executor) -> bool:
    """Do a run in this process, as a worker would, and deliver it to MLflow; False where a worker was faster to take it."""
    try:
        from promptuary.evaluation.models import ChatModels
        from promptuary.evaluation.tracking import Tracker
        from promptuary.worker.assembly import build_execution
    except ModuleNotFoundError as error:
        raise NotInstalled(f"running a suite needs {error.name}; install promptuary[evaluation,context,local]") from None
    from promptuary.access.caller import Unit
    from promptuary.access.service import DEFAULT_PROJECT, local_caller
    from promptuary.base import outbox
    from promptuary.base.errors import Conflict
    from promptuary.evaluation.execution import TOPIC
    from promptuary.evaluation.service import Evaluations
    from promptuary.worker.loop import worker_name

    try:
        caller = local_caller(parts.database, parts.clock(), project or DEFAULT_PROJECT)
        with parts.database.write() as session:
            held = Evaluations(Unit(session, caller, parts.clock, parts.settings)).hold(run_id, worker_name())
    except Conflict:
        return False
    models = ChatModels(parts.settings)
    try:
        settings = parts.settings
        if executor is not Executor.LOCAL:
            settings = settings.model_copy(update={"executor": executor.value})
        execution = build_execution(settings, parts.database, parts.clock, parts.retrieval, models)
        execution.execute(held, lambda progress: on_progress(progress.done, progress.total))
        outbox.relay(parts.database, parts.clock, TOPIC, Tracker(parts.settings, parts.database).deliver)
    finally:
        models.close()
    return True


@contextmanager
def _progress(suite: str) -> Iterator[OnProgress]:
    """Show how far a run is: a bar on a terminal, else a line now and then; both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(suite)
        return
    columns = (TextColumn(suite), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(suite, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """A line of progress each tenth of the way."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 10
        if tenth > self._told:
            self._told = tenth
            typer.echo(f"{self._suite}: {done} of {total}", err=True)
