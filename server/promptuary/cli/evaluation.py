"""`promptuary eval run | list | show | compare`: suites run, and what came of them.

With a server, its worker does the run and this command follows it; without one, the run is done in this process, on the same
tables and by the same code as a worker's.
"""

import json as json_text
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli import report
from promptuary.cli.connection import Api, connect, part
from promptuary.cli.forecast import plan
from promptuary.cli.output import INFRASTRUCTURE, AsJson, Project, as_json, line, table
from promptuary.cli.promptfoo import Judge, Partial, import_suite
from promptuary.cli.running import Executor, run_suite
from promptuary.cli.suites import Reading
from promptuary.prompt.errors import Fault, Invalid

app = typer.Typer(help="Run suites and see what they say.", no_args_is_help=True)
EXIT_CODES = {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": INFRASTRUCTURE}
app.command("import")(import_suite)
_WORST_FIRST = (INFRASTRUCTURE, 1, 2, 0)


@app.command("run")
def run(
    suites: Annotated[list[str], typer.Argument(help="Suite files, or names of suites that the registry has.")],
    prompts: Annotated[Path | None, typer.Option("--prompts", help="Try the versions in this folder of prompt files.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="A label, a version, or an earlier run.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Instead of the suite's models.")] = None,
    repeats: Annotated[int | None, typer.Option("--repeats", help="Instead of the suite's.")] = None,
    executor: Annotated[
        Executor, typer.Option("--executor", help="Where cases are done: in this process, or on a Ray cluster.")
    ] = Executor.LOCAL,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with this run instead of starting one.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Write a Markdown summary here.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all results as JSON here.")] = None,
    partial: Partial = False,
    judge: Judge = None,
    project: Project = None,
) -> None:
    """Run suites; exits 0 pass, 1 the gate failed, 2 inconclusive, 3 infrastructure, 64 bad usage or a bad file."""
    if resume is not None and len(suites) > 1:
        raise Invalid("--resume goes on with one run; name its suite alone")
    changes = {"models": model, "repeats": repeats}
    reading = Reading(partial, judge, model)
    with connect(project) as api:
        earlier = _earlier(api, baseline)
        finished = [run_suite(api, suite, changes, prompts, baseline, resume, project, executor, reading) for suite in suites]
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


app.command("plan")(plan)


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
