"""`promptuary review open | export`: fill queues from runs, and export the decisions."""

import csv
import io
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line
from promptuary.prompt.errors import Invalid

app = typer.Typer(help="Review queues.", no_args_is_help=True)
Queue = Annotated[str, typer.Argument(help="The queue's name.")]
INSTRUCTIONS = "Is the output right for this input? Compare it with the expected output, and explain why where it is not."
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@app.command("open")
def open_queue(
    queue: Queue,
    run: Annotated[str, typer.Option("--run", help="The run whose results are reviewed; `latest` is the newest finished run.")],
    only: Annotated[Literal["failed", "disagree", "all"], typer.Option("--only", help="Which results.")] = "all",
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant's results.")] = None,
    instructions: Annotated[str, typer.Option("--instructions", help="What the reviewers judge.")] = INSTRUCTIONS,
    slots: Annotated[
        int, typer.Option("--slots", help="How many reviewers decide an item.", parser=integer, metavar="INTEGER")
    ] = 1,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Open a queue and fill it from a run."""
    with connect(project) as api:
        run = _latest(api) if run == "latest" else run
        added = fill(api, QueueRequest(queue, run, only, variant, instructions, slots))
    if json:
        print_json(added)
    else:
        print_line(describe_added(queue, added))


def _latest(api: ApiClient) -> str:
    runs = api.get("/runs", state="finished", limit=1)["items"]
    if not runs:
        raise Invalid("there is no finished run to review; run a suite first")
    return str(runs[0]["id"])


def describe_added(queue: str, added: Any) -> str:
    """Return how many items were added, and how many were in the queue already."""
    return f"{queue}: {added['added']} items added, {added['present']} in the queue already"


@dataclass(frozen=True)
class QueueRequest:
    """A queue, and the results of a run that belong in it.

    Attributes:
        queue: the queue's name.
        run: the run's id.
        only: which results: `failed`, `disagree` or `all`.
        variant: the only variant whose results are added; None for every variant.
        instructions: what the reviewers judge.
        slots: how many reviewers decide an item.
    """

    queue: str
    run: str
    only: str = "all"
    variant: str | None = None
    instructions: str = INSTRUCTIONS
    slots: int = 1


def fill(api: ApiClient, request: QueueRequest) -> Any:
    """Create a queue and add a run's results; items that are in it already are not added again."""
    api.get(f"/runs/{path_segment(request.run)}")  # an unknown run leaves no empty queue behind
    path = f"/queues/{path_segment(request.queue)}"
    api.put(path, {"instructions": request.instructions, "slots": request.slots})
    return api.post(f"{path}/items", {"run": request.run, "only": request.only, "variant": request.variant})


@app.command("export")
def export(queue: Queue, project: Project = None, json: AsJson = False) -> None:
    """Print a queue's decisions: CSV, or JSON with `--json`."""
    with connect(project) as api:
        decisions = list(api.items(f"/queues/{path_segment(queue)}/export"))
    if json:
        print_json(decisions)
        return
    output = io.StringIO()
    fields = ("item", "source", "reviewer", "decision", "comment", "at")
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([_plain(decision.get(field)) for field in fields] for decision in decisions)
    typer.echo(output.getvalue(), nl=False)


def _plain(value: Any) -> str:
    """Return a text that a spreadsheet does not read as a formula."""
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text
