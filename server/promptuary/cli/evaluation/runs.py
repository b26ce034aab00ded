"""`promptuary eval run | list | show | compare | report`: suites run, and what came of them.

With a server, its worker does the run and this command follows it; without one, the run is done in this process, on the same
tables and by the same code as a worker's.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.evaluation import schedules
from promptuary.cli.evaluation.mlflow_delivery import mlflow_delivery
from promptuary.cli.evaluation.power_plan import plan
from promptuary.cli.evaluation.promptfoo import Judge, Partial, import_suite
from promptuary.cli.evaluation.reports import Html, Json, Junit, ReportFiles, Summary, print_pieces, results_of
from promptuary.cli.evaluation.suite_run import Executor, run_suite
from promptuary.cli.evaluation.suites import PromptfooOptions
from promptuary.cli.output import EXIT_INFRASTRUCTURE, AsJson, Project, print_json, print_line, print_table
from promptuary.evaluation.reports.json_report import json_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.terminal import terminal_lines
from promptuary.prompt.errors import FieldError, Invalid

app = typer.Typer(help="Run suites and see what they say.", no_args_is_help=True)
app.add_typer(schedules.app, name="schedule")
app.command("alerts")(schedules.alerts)
EXIT_CODES = {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": EXIT_INFRASTRUCTURE}
app.command("import")(import_suite)
_WORST_FIRST = (EXIT_INFRASTRUCTURE, 1, 2, 0)


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
    max_cost: Annotated[float | None, typer.Option("--max-cost", help="Spend no more than so many US dollars.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Ask anew, also what was asked before.")] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let suites run Python code on this machine, in a run without a server.")
    ] = False,
    partial: Partial = False,
    judge: Judge = None,
    junit: Junit = None,
    summary: Summary = None,
    html: Html = None,
    json: Json = None,
    project: Project = None,
) -> None:
    """Run suites; exits 0 pass, 1 the gate failed, 2 inconclusive, 3 infrastructure, 64 bad usage or a bad file."""
    if resume is not None and len(suites) > 1:
        raise Invalid("--resume goes on with one run; name its suite alone")
    changes = {"models": model, "repeats": repeats, "max_cost": max_cost, "cache": not no_cache}
    reading = PromptfooOptions(partial, judge, model)
    with mlflow_delivery() as deliver, connect(project, allow_code=allow_code) as api:
        api.deliver = deliver
        earlier = _earlier(api, baseline)
        finished = [run_suite(api, suite, changes, prompts, baseline, resume, project, executor, reading) for suite in suites]
        ReportFiles(junit, summary, html, json).write(api, finished)
        for done in finished:
            if earlier is not None and done["state"] == "finished":
                _show_comparison(api.get(f"/runs/{done['id']}/compare", baseline=earlier))
    codes = [EXIT_CODES.get(done["verdict"], EXIT_INFRASTRUCTURE) for done in finished]
    raise typer.Exit(next(code for code in _WORST_FIRST if code in codes))


def _earlier(api: ApiClient, baseline: str | None) -> str | None:
    """Give the baseline where it is a run, and see before anything is done that there is something to compare with."""
    if baseline is None or not baseline.startswith("run_"):
        return None
    state = api.get(f"/runs/{path_segment(baseline)}")["state"]
    if state != "finished":
        raise Invalid(
            "the baseline cannot be used", [FieldError("--baseline", f"the run '{baseline}' is {state}, not finished")]
        )
    return baseline


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
        print_json(runs)
        return
    rows = [(one["id"], one["suite"], one["state"], one["verdict"], f"{one['done']}/{one['total']}") for one in runs]
    print_table(["run", "suite", "state", "verdict", "results"], rows)


@app.command("show")
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")], project: Project = None, json: AsJson = False
) -> None:
    """Give what a run says."""
    with connect(project) as api:
        found = api.get(f"/runs/{path_segment(run_id)}")
        if json:
            print_pieces(json_report(found, results_of(api, found)))
            return
    for text in terminal_lines(found):
        print_line(text)


@app.command("report")
def report(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    junit: Junit = None,
    summary: Summary = None,
    html: Html = None,
    json: Json = None,
    project: Project = None,
) -> None:
    """Write reports of a run that is over, as `eval run` does; prints the Markdown summary where no file is named."""
    reports = ReportFiles(junit, summary, html, json)
    with connect(project) as api:
        found = api.get(f"/runs/{path_segment(run_id)}")
        if reports.none:
            print_pieces([markdown_report(found, results_of(api, found)).removesuffix("\n")])
        else:
            reports.write(api, [found])


@app.command("compare")
def compare(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    baseline: Annotated[str, typer.Argument(help="The run to compare it with.")],
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Compare two finished runs, paired by case."""
    with connect(project) as api:
        found = api.get(f"/runs/{path_segment(run_id)}/compare", baseline=baseline)
    if json:
        print_json(found)
        return
    _show_comparison(found)


def _show_comparison(found: Any) -> None:
    rows = [
        (one["metric"], one["candidate"], one["baseline"], f"{one['interval']['estimate']:+.3f}", one["cases"])
        for one in found["comparisons"]
        if one["interval"]
    ]
    print_table(["metric", "candidate", "baseline", "difference", "cases"], rows)
