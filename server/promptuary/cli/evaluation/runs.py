"""`promptuary eval run | list | show | compare | report`: run suites, and read their results.

With a server, its worker executes the run and this command follows it; without one, the run is executed in this process, on
the same tables and by the same code as a worker's.
"""

from pathlib import Path
from typing import Annotated

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.evaluation import judges, schedules
from promptuary.cli.evaluation.comparison import read_comparison, show_comparison, with_comparisons
from promptuary.cli.evaluation.interruption import interruption
from promptuary.cli.evaluation.local_execution import Executor, LocalExecution
from promptuary.cli.evaluation.mlflow_delivery import mlflow_delivery
from promptuary.cli.evaluation.power_plan import plan
from promptuary.cli.evaluation.promptfoo import Judge, Partial, import_suite
from promptuary.cli.evaluation.reports import (
    Html,
    Json,
    Junit,
    ReportFiles,
    Summary,
    print_pieces,
    read_errors,
    read_results,
    read_run,
)
from promptuary.cli.evaluation.suite_run import CaseSelection, RunOptions, TrafficSelection, resume_suite, run_suites
from promptuary.cli.evaluation.suites import PromptfooOptions
from promptuary.cli.number_parsers import decimal, integer
from promptuary.cli.output import EXIT_INFRASTRUCTURE, AsJson, Project, print_json, print_line, print_table
from promptuary.cli.traffic.periods import since
from promptuary.core.errors import PromptuaryError
from promptuary.prompt.errors import FieldError, Invalid

app = typer.Typer(help="Run suites and read their results.", no_args_is_help=True)
app.add_typer(schedules.app, name="schedule")
app.command("alerts")(schedules.alerts)
app.command("judges")(judges.judges)
EXIT_CODES = {"no gate": 0, "pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": EXIT_INFRASTRUCTURE}
app.command("import")(import_suite)
_WORST_FIRST = (EXIT_INFRASTRUCTURE, 1, 2, 0)


@app.command("run")
def run(
    suites: Annotated[list[str], typer.Argument(help="Suite files, or names of suites in the registry.")],
    prompts: Annotated[
        Path | None, typer.Option("--prompts", help="Evaluate the versions in this folder of prompt files.")
    ] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="A label, a version, or an earlier run.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Use these models instead of the suite's.")] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", help="Use this number instead of the suite's.", parser=integer, metavar="INTEGER")
    ] = None,
    executor: Annotated[
        Executor, typer.Option("--executor", help="Where cases are executed: in this process, or on a Ray cluster.")
    ] = Executor.LOCAL,
    resume: Annotated[str | None, typer.Option("--resume", help="Continue this run instead of starting one.")] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", help="Stop the run at this cost, in US dollars.", parser=decimal, metavar="NUMBER"),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Send every request to the model, also where a cached response exists.")
    ] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let suites run Python code on this machine, in a run without a server.")
    ] = False,
    case: Annotated[list[str] | None, typer.Option("--case", metavar="ID", help="Run this case only (repeatable).")] = None,
    filter_failing: Annotated[
        str | None, typer.Option("--filter-failing", metavar="RUN", help="Run only the cases that did not pass in this run.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", help="Run so many of the cases, chosen at random.", parser=integer, metavar="INTEGER"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The seed of --sample; 0 by default.", parser=integer, metavar="INTEGER")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option("--candidate", metavar="LABEL|VERSION", help="Try this version instead of the suite's label.")
    ] = None,
    from_traffic: Annotated[
        str | None,
        typer.Option(
            "--from-traffic",
            metavar="SINCE",
            help="Run on sampled calls since then, such as 7d, beside what production answered; --sample limits them.",
        ),
    ] = None,
    traffic_label: Annotated[
        str | None, typer.Option("--traffic-label", help="Calls of applications that look this label up.")
    ] = None,
    traffic_version: Annotated[
        int | None,
        typer.Option("--traffic-version", help="Calls that this version answered.", parser=integer, metavar="INTEGER"),
    ] = None,
    partial: Partial = False,
    judge: Judge = None,
    junit: Junit = None,
    summary: Summary = None,
    html: Html = None,
    json: Json = None,
    project: Project = None,
) -> None:
    """Run suites; exit 0 pass or no gate, 1 the gate failed, 2 inconclusive, 3 infrastructure, 64 bad usage or a bad file."""
    if resume is not None and len(suites) > 1:
        raise Invalid("--resume continues one run; name its suite alone")
    _check_traffic(from_traffic, (case, filter_failing), (traffic_label, traffic_version))
    if candidate is not None and prompts is not None:
        raise Invalid("--candidate names a stored version, and --prompts a folder with others; pass one of them")
    options = RunOptions(
        prompts=prompts,
        baseline=baseline,
        models=model,
        repeats=repeats,
        max_cost=max_cost,
        cache=not no_cache,
        resume=resume,
        promptfoo=PromptfooOptions(partial, judge, model),
        selection=CaseSelection(case or None, filter_failing, sample, seed),
        traffic=None if from_traffic is None else TrafficSelection(since(from_traffic), traffic_label, traffic_version),
        candidate=candidate,
    )
    with interruption() as signals, mlflow_delivery() as deliver, connect(project, allow_code=allow_code) as api:
        local = None if api.services is None else LocalExecution(api.services, project, executor, deliver)
        _check_executor(executor, local)
        _check_baseline(api, options.baseline_run)
        if resume is None:
            runs = run_suites(api, suites, options, local, signals)
        else:
            runs = iter([resume_suite(api, suites[0], options, local, signals)])
        errors: list[PromptuaryError] = []
        compared = with_comparisons(api, runs, options.baseline_run, errors)
        finished = ReportFiles(junit, summary, html, json).write_all(api, compared)
        for finished_run in finished:
            if finished_run.comparison is not None:
                show_comparison(finished_run.comparison)
        if errors:
            raise errors[0]
    codes = [EXIT_CODES.get(finished_run.verdict or "", EXIT_INFRASTRUCTURE) for finished_run in finished]
    raise typer.Exit(next(code for code in _WORST_FIRST if code in codes))


def _check_traffic(period: str | None, of_dataset: tuple[object, ...], of_traffic: tuple[object, ...]) -> None:
    """Raise Invalid for options of a dataset's cases in a run on traffic, and the other way round."""
    if period is not None and any(of_dataset):
        raise Invalid("--case and --filter-failing choose cases of a dataset; --from-traffic has sampled calls instead")
    if period is None and any(of_traffic):
        raise Invalid("--traffic-label and --traffic-version go with --from-traffic")


def _check_executor(executor: Executor, local: LocalExecution | None) -> None:
    """Raise Invalid for an executor that a command cannot choose: with a server, its workers execute the run."""
    if executor is not Executor.LOCAL and local is None:
        raise Invalid(
            "the executor cannot be chosen here",
            [FieldError("--executor", "the server's workers execute the run; PROMPTUARY_EXECUTOR chooses theirs")],
        )


def _check_baseline(api: ApiClient, run_id: str | None) -> None:
    """Raise Invalid, before anything is done, for an earlier run that has nothing to compare with."""
    if run_id is None:
        return
    state = api.get(f"/runs/{path_segment(run_id)}")["state"]
    if state != "finished":
        raise Invalid("the baseline cannot be used", [FieldError("--baseline", f"the run '{run_id}' is {state}, not finished")])


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
    rows = [(run["id"], run["suite"], run["state"], run["verdict"], f"{run['done']}/{run['total']}") for run in runs]
    print_table(["run", "suite", "state", "verdict", "results"], rows)


@app.command("show")
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")], project: Project = None, json: AsJson = False
) -> None:
    """Show a run: its state, verdict and metrics."""
    from promptuary.evaluation.reports.json_report import json_report
    from promptuary.evaluation.reports.terminal import terminal_lines

    with connect(project) as api:
        evaluation_run = read_run(api, run_id)
        if json:
            print_pieces(json_report(evaluation_run, read_results(api, run_id)))
            return
        errors = read_errors(api, evaluation_run)
    for text in terminal_lines(evaluation_run, errors):
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
    """Write reports of a finished run, as `eval run` does; without a file, print the Markdown summary."""
    from promptuary.evaluation.reports.markdown import markdown_report

    reports = ReportFiles(junit, summary, html, json)
    with connect(project) as api:
        evaluation_run = read_run(api, run_id)
        if reports.none:
            print_pieces([markdown_report(evaluation_run, read_results(api, run_id)).removesuffix("\n")])
        else:
            reports.write(api, [evaluation_run])


@app.command("cancel")
def cancel(run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")], project: Project = None) -> None:
    """End a run that waits, is executed or was interrupted; its results are kept, and it cannot be resumed."""
    with connect(project) as api:
        cancelled = api.post(f"/runs/{path_segment(run_id)}/cancel", {})
    print_line(f"{cancelled['suite']}: the run {run_id} is cancelled; its {cancelled['done']} results are kept")


@app.command("compare")
def compare(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    baseline: Annotated[str, typer.Argument(help="The run to compare it with.")],
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Compare two finished runs on the cases whose variables, expected output and checks are the same in both."""
    with connect(project) as api:
        comparison = read_comparison(api, run_id, baseline)
    if json:
        print_json(comparison.json_body)
        return
    show_comparison(comparison)
