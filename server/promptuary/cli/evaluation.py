"""`promptuary eval run | list | show | compare`: suites run, and what came of them.

With a server, its worker does the run and this command follows it; without one, the run is done in this process, on the same
tables and by the same code as a worker's.
"""

import json as json_text
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from promptuary.cli import report
from promptuary.cli.connection import Api, NotInstalled, connect, part
from promptuary.cli.output import INFRASTRUCTURE, AsJson, Project, as_json, line, table
from promptuary.cli.registry import register
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import PromptFile, find_prompts

if TYPE_CHECKING:
    from promptuary.api.parts import Parts

app = typer.Typer(help="Run suites and see what they say.", no_args_is_help=True)
POLL_SECONDS = 0.5
TRACKING_SECONDS = 15.0
EXIT_CODES = {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": INFRASTRUCTURE}
_WORST_FIRST = (INFRASTRUCTURE, 1, 2, 0)
OnProgress = Callable[[int, int], None]


@app.command("run")
def run(
    suites: Annotated[list[str], typer.Argument(help="Suite files, or names of suites that the registry has.")],
    prompts: Annotated[Path | None, typer.Option("--prompts", help="Try the versions in this folder of prompt files.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="A label, a version, or an earlier run.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Instead of the suite's models.")] = None,
    repeats: Annotated[int | None, typer.Option("--repeats", help="Instead of the suite's.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with this run instead of starting one.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Write a Markdown summary here.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all results as JSON here.")] = None,
    project: Project = None,
) -> None:
    """Run suites; exits 0 pass, 1 the gate failed, 2 inconclusive, 3 infrastructure, 64 bad usage or a bad file."""
    if resume is not None and len(suites) > 1:
        raise Invalid("--resume goes on with one run; name its suite alone")
    changes = {"models": model, "repeats": repeats}
    with connect(project) as api:
        earlier = _earlier(api, baseline)
        finished = [run_suite(api, suite, changes, prompts, baseline, resume, project) for suite in suites]
        _write(finished, junit, summary, json)
        for done, _ in finished:
            if earlier is not None and done["state"] == "finished":
                _show_comparison(api.get(f"/runs/{done['id']}/compare", baseline=earlier))
    codes = [EXIT_CODES.get(done["verdict"], INFRASTRUCTURE) for done, _ in finished]
    raise typer.Exit(next(code for code in _WORST_FIRST if code in codes))


def _earlier(api: Api, baseline: str | None) -> str | None:
    """Give the baseline where it is a run, and see before anything is done that there is something to compare with."""
    if baseline is None or not baseline.startswith("run_"):
        return None
    state = api.get(f"/runs/{part(baseline)}")["state"]
    if state != "finished":
        raise Invalid("the baseline cannot be used", [Fault("--baseline", f"the run '{baseline}' is {state}, not finished")])
    return baseline


def run_suite(
    api: Api,
    suite: str,
    changes: dict[str, Any],
    prompts: Path | None = None,
    baseline: str | None = None,
    resume: str | None = None,
    project: str | None = None,
) -> tuple[Any, list[Any]]:
    """Run one suite to its end and print what it says; gives the run and its results."""
    if resume is not None:
        submitted = api.get(f"/runs/{part(resume)}")
    else:
        tried = find_prompts(prompts) if prompts else None
        name, prompt = _stored(api, suite)
        version = None if tried is None else _registered(api, tried, prompt)
        reference = None if baseline is None or baseline.startswith("run_") else _reference(baseline)
        submitted = api.post("/runs", {"suite": name, "version": version, "baseline": reference, **changes})
    with _progress(submitted["suite"]) as on_progress:
        _follow(
            api,
            submitted["id"],
            on_progress,
            lambda: api.parts is not None and _done_here(api.parts, submitted["id"], project, on_progress),
        )
    done = api.get(f"/runs/{submitted['id']}")
    results = list(api.items(f"/runs/{submitted['id']}/results"))
    for text in report.text(done):
        line(text)
    if done["state"] == "finished":
        line(f"  MLflow run: {done['tracking_id'] or 'not delivered yet; the worker delivers it when MLflow answers'}")
    return done, results


def _stored(api: Api, suite: str) -> tuple[str, str]:
    """Store a suite's file and its dataset, or find the suite by name; gives its name and its prompt's."""
    path = Path(suite)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        definition = api.get(f"/suites/{part(suite)}")["definition"]
        return definition["name"], definition["prompt"]
    try:
        from promptuary.evaluation.case import case_json
        from promptuary.evaluation.suite import read_suite, suite_json
    except ModuleNotFoundError as error:
        raise NotInstalled(f"suite files need {error.name}; install promptuary[server,evaluation]") from None
    file = read_suite(path)
    dataset = Path(file.suite.dataset).stem.lower()
    api.post(f"/datasets/{part(dataset)}/versions", {"cases": [case_json(case) for case in file.cases]})
    api.put(f"/suites/{file.suite.name}", suite_json(file.suite) | {"dataset": dataset})
    return file.suite.name, file.suite.prompt


def _registered(api: Api, tried: list[PromptFile], prompt: str) -> int:
    """Register the folder's version of a prompt, under no label, and give its number."""
    found = next((file for file in tried if file.name == prompt), None)
    if found is None:
        raise Invalid("the folder of --prompts has no file for the suite's prompt", [Fault("prompt", f"'{prompt}'")])
    return int(register(api, found, labels=())["version"])


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


def _done_here(parts: "Parts", run_id: str, project: str | None, on_progress: OnProgress) -> bool:
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
        execution = build_execution(parts.settings, parts.database, parts.clock, parts.retrieval, models)
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


def _write(finished: list[tuple[Any, list[Any]]], junit: Path | None, summary: Path | None, json: Path | None) -> None:
    if junit is not None:
        _save(junit, report.junit(finished))
    if summary is not None:
        _save(summary, "\n".join(report.markdown(*one) for one in finished).encode())
    if json is not None:
        values: list[Any] = [report.as_values(*one) for one in finished]
        _save(json, json_text.dumps(values[0] if len(values) == 1 else values, ensure_ascii=False, indent=2).encode())


def _save(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    os.replace(new, path)


@app.command("list")
def list_runs(
    suite: Annotated[str | None, typer.Option("--suite", help="One suite's runs.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the runs, the newest first."""
    with connect(project) as api:
        runs = api.get("/runs", suite=suite, limit=50)["items"]
    if json:
        as_json(runs)
        return
    rows = [(one["id"], one["suite"], one["state"], one["verdict"], f"{one['done']}/{one['total']}") for one in runs]
    table(["run", "suite", "state", "verdict", "results"], rows)


@app.command("show")
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")], project: Project = None, json: AsJson = False
) -> None:
    """Give what a run says."""
    with connect(project) as api:
        found = api.get(f"/runs/{part(run_id)}")
        results = list(api.items(f"/runs/{part(run_id)}/results")) if json else []
    if json:
        as_json(report.as_values(found, results))
        return
    for text in report.text(found):
        line(text)


@app.command("compare")
def compare(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    baseline: Annotated[str, typer.Argument(help="The run to compare it with.")],
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Compare two finished runs, paired by case."""
    with connect(project) as api:
        found = api.get(f"/runs/{part(run_id)}/compare", baseline=baseline)
    if json:
        as_json(found)
        return
    _show_comparison(found)


def _show_comparison(found: Any) -> None:
    rows = [
        (one["metric"], one["candidate"], one["baseline"], f"{one['interval']['estimate']:+.3f}", one["cases"])
        for one in found["comparisons"]
        if one["interval"]
    ]
    table(["metric", "candidate", "baseline", "difference", "cases"], rows)
