"""The commands `promptuary review open | list | agreement | export`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import decimal, integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_notice, print_table
from promptuary.cli.review.disagreements import disagreement_lines
from promptuary.cli.review.filling import LATEST, QueueRequest, describe_filled, fill, find_run
from promptuary.cli.review.preferences import figure, print_preferences, read_preferences
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
    only: Annotated[
        Literal["failed", "disagree", "scorers", "all"] | None,
        typer.Option(
            "--only",
            help="Which results by priority: the failed ones, those on which versions disagree, those on which a judge and "
            "another scorer disagree, or all; all is the default without --sample.",
        ),
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant's results.")] = None,
    case: Annotated[list[str] | None, typer.Option("--case", help="Only this case; may be repeated.")] = None,
    pairs: Annotated[
        tuple[str, str] | None,
        typer.Option("--pairs", metavar="VARIANT VARIANT", help="Compare the outputs of two variants side by side."),
    ] = None,
    swap_share: Annotated[
        float | None,
        typer.Option(
            "--swap-share", help="The share of pairs that come again swapped; 0 to 1.", parser=decimal, metavar="NUMBER"
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", help="A random slice of so many results, beside --only.", parser=integer, metavar="INTEGER"),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Of the slice; a larger slice of the same seed extends it.", parser=integer, metavar="INTEGER"
        ),
    ] = 0,
    instructions: Annotated[str | None, typer.Option("--instructions", help="What the reviewers judge.")] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", help="How many reviewers decide an item; 1 in a new queue.", parser=integer, metavar="INTEGER"),
    ] = None,
    reviewer: Annotated[
        list[str] | None, typer.Option("--reviewer", help="Only this person or key decides; may be repeated.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="The metric of the judge that these labels measure; see --passes.")
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option(
            "--passes", help="A decision by which an output passes, for --judge; `approve` by default; may be repeated."
        ),
    ] = None,
    due: Annotated[str | None, typer.Option("--due", help="When it should be decided, as 2026-03-02T12:00:00Z.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Open a queue, or extend one, and fill it from a run."""
    selection: dict[str, Any] = {"only": only or ("all" if sample is None else None), "variant": variant, "cases": case}
    definition: dict[str, Any] = {"instructions": instructions, "slots": slots, "swap_share": swap_share, "due_at": due}
    definition |= {"reviewers": reviewer or None, "judge": _judge_mapping(judge, passes)}
    if sample is not None:
        selection["sample"] = {"size": sample, "seed": seed}
    if pairs is not None:
        selection["pairs"] = list(pairs)
    with connect(project) as api:
        run_id = find_run(api, run, suite)
        added = fill(api, QueueRequest(queue, run_id, _stated(selection), _stated(definition)))
    if json:
        print_json({"run": run_id, **added})
        return
    if run in (None, LATEST):
        print_notice(f"{queue}: from {run_id}, the newest finished run")
    print_line(describe_filled(queue, added))


def _judge_mapping(metric: str | None, passes: list[str] | None) -> dict[str, Any] | None:
    """Return which decisions mean that an output passes; None where no judge is measured."""
    if metric is None and passes:
        raise Invalid("no judge is named", [FieldError("--judge", "pass the judge's metric beside --passes")])
    return None if metric is None else {"metric": metric, "passes": passes or ["approve"]}


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    """Return what was passed; what was not passed keeps its default."""
    return {name: value for name, value in values.items() if value is not None}


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
    """Show how far the reviewers of a queue agree, with 95 % intervals, and the items on which they do not.

    Of pairs it also shows the strengths of the variants, and whether the side on the screen decided.
    """
    with connect(project) as api:
        agreement = api.get(f"/queues/{path_segment(queue)}/agreement")
        preferences = read_preferences(api, queue, agreement)
        listed = (
            [] if agreement["finished_only"] else list(api.items(f"/queues/{path_segment(queue)}/disagreements", state="all"))
        )
    if json:
        agreement |= {"preferences": preferences} if preferences else {}
        print_json(agreement)
        return
    scope = "finished items" if agreement["finished_only"] else "items"
    print_line(f"{queue}: {agreement['items']} {scope} with at least two decisions, {agreement['reviewers']} reviewers")
    columns = ["label", "figure", "value", "low", "high", "items", "note"]
    print_table(columns, [row for label in agreement["labels"] for row in _agreement_rows(label)])
    for label in agreement["labels"]:
        if label["note"]:
            print_line(f"{label['name']}: {label['note']}")
    for line in disagreement_lines(agreement, listed):
        print_line(line)
    print_preferences(preferences)


def _agreement_rows(label: Any) -> list[tuple[Any, ...]]:
    """Return a row for the share of equal labels, and for each coefficient."""
    rows: list[tuple[Any, ...]] = []
    if label["observed"] is not None:
        observed = label["observed"]
        figures = (figure(observed[name]) for name in ("value", "low", "high"))
        rows.append((label["name"], "equal labels", *figures, observed["items"], ""))
    for row in label["coefficients"]:
        figures = (figure(row[name]) for name in ("value", "low", "high"))
        rows.append((label["name"], row["coefficient"], *figures, row["units"], row["reason"]))
    return rows


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
