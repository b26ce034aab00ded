"""The commands `promptuary review open | list | agreement | export`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_notice, print_table
from promptuary.cli.review.filling import LATEST, QueueRequest, describe_filled, fill, find_run
from promptuary.prompt.errors import FieldError, Invalid

app = typer.Typer(help="Review queues.", no_args_is_help=True)
Queue = Annotated[str, typer.Argument(help="The queue's name.")]


@app.command("open")
def open_queue(
    queue: Queue,
    run: Annotated[
        str | None,
        typer.Option("--run", help="The run whose results are reviewed; `latest` is the newest finished run of the suite."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="The suite whose newest run is meant; needed where several have runs.")
    ] = None,
    only: Annotated[Literal["failed", "disagree", "all"], typer.Option("--only", help="Which results.")] = "all",
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant's results.")] = None,
    instructions: Annotated[str | None, typer.Option("--instructions", help="What the reviewers judge.")] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", help="How many reviewers decide an item; 1 in a new queue.", parser=integer, metavar="INTEGER"),
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Open a queue, or extend one, and fill it from a run."""
    definition = {"instructions": instructions, "slots": slots}
    stated = {name: value for name, value in definition.items() if value is not None}
    with connect(project) as api:
        run_id = find_run(api, run, suite)
        added = fill(api, QueueRequest(queue, run_id, {"only": only, "variant": variant}, stated))
    if json:
        print_json({"run": run_id, **added})
        return
    if run in (None, LATEST):
        print_notice(f"{queue}: from {run_id}, the newest finished run")
    print_line(describe_filled(queue, added))


@app.command("list")
def list_queues(project: Project = None, json: AsJson = False) -> None:
    """List the queues with their progress."""
    with connect(project) as api:
        queues = list(api.items("/queues"))
    if json:
        print_json(queues)
        return
    columns = ["queue", "items", "decided", "open", "claimed", "slots"]
    counted = ("items", "decided", "open", "claimed")
    print_table(columns, [(queue["name"], *(queue["counts"][name] for name in counted), queue["slots"]) for queue in queues])


@app.command("agreement")
def show_agreement(queue: Queue, project: Project = None, json: AsJson = False) -> None:
    """Show how far the reviewers of a queue agree, with 95 % intervals, and the items on which they do not."""
    with connect(project) as api:
        agreement = api.get(f"/queues/{path_segment(queue)}/agreement")
    if json:
        print_json(agreement)
        return
    percent = "" if agreement["percent"] is None else f", {agreement['percent']:.1f} % of their pairs agree"
    print_line(f"{queue}: {agreement['items']} items with at least two decisions, {agreement['reviewers']} reviewers{percent}")
    rows = [
        (row["coefficient"], _figure(row["value"]), _figure(row["low"]), _figure(row["high"]), row["reason"])
        for row in agreement["coefficients"]
    ]
    print_table(["coefficient", "value", "low", "high", "note"], rows)
    for source in agreement["disagreements"]:
        print_line(f"disagreement: {source}")


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.3f}"


@app.command("export")
def export(
    queue: Queue,
    file_format: Annotated[
        Literal["csv", "jsonl", "parquet"], typer.Option("--format", help="The format of the file.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; standard output by default.")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Export a queue's decisions with the labels that count; `--json` prints the decisions as one JSON list."""
    path = f"/queues/{path_segment(queue)}/export"
    with connect(project) as api:
        if json:
            print_json(list(api.items(path)))
            return
        if file_format == "parquet" and output is None and sys.stdout.isatty():
            raise Invalid("a Parquet file is not text", [FieldError("--output", "name a file")])
        content = api.download(path, format=file_format)
    if output is None:
        typer.echo(content, nl=False)
    else:
        output.write_bytes(content)
        print_notice(f"{output}: {len(content):,} bytes")
