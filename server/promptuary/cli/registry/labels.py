"""`promptuary label set | split | remove | history | rollback`: the targets of labels and their history."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.numbers import parse_decimal, parse_integer

app = typer.Typer(help="Move, split and remove labels, and read their history.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The prompt's name, such as support.triage.")]
Label = Annotated[str, typer.Argument(help="The label.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason; stored in the label's history.")]


def describe_target(target: Mapping[str, Any]) -> str:
    """Return the target of a label or a move: `3`, or `3=95 4=5` where it is split, as `label split` accepts it.

    A removal is `removed`.
    """
    if target["split"] is None:
        return "removed" if target["version"] is None else str(target["version"])
    return " ".join(f"{arm['version']}={arm['weight']:g}" for arm in target["split"]["arms"])


def describe_label(name: str, label: str, target: Mapping[str, Any]) -> str:
    """Return a line with the present target of a label."""
    kind = "version " if target["split"] is None else "split "
    return f"{name}  {label} → {kind}{describe_target(target)}"


@app.command("set")
def set_label(
    name: Name,
    label: Label,
    version: Annotated[
        int, typer.Argument(help="The version that the label will point at.", parser=integer, metavar="VERSION")
    ],
    reason: Reason = "",
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Move a label to a version; this ends a split."""
    with connect(project) as api:
        moved = api.put(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}", {"version": version, "reason": reason})
    if json:
        print_json(moved)
    else:
        print_line(describe_label(name, label, moved))


@app.command("split")
def split(
    name: Name,
    label: Label,
    arms: Annotated[list[str], typer.Argument(help="VERSION=WEIGHT, two to sixteen; lookups without a key get the first.")],
    reason: Reason = "",
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Split a label over several versions, as in `3=95 4=5`; as few keys as possible change their version."""
    weights = [_arm(arm) for arm in arms]
    with connect(project) as api:
        moved = api.put(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}", {"split": weights, "reason": reason})
    if json:
        print_json(moved)
    else:
        print_line(describe_label(name, label, moved))


def _arm(text: str) -> dict[str, Any]:
    version, equals, weight = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return {"version": parse_integer(version), "weight": parse_decimal(weight)}
    except ValueError:
        raise Invalid(
            "the label cannot be split like this", [FieldError(text, "must be VERSION=WEIGHT, such as 4=5")]
        ) from None


@app.command("history")
def history(name: Name, label: Label, project: Project = None, json: AsJson = False) -> None:
    """List a label's moves, the newest first."""
    with connect(project) as api:
        moves = list(api.items(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}/history"))
    if json:
        print_json(moves)
        return
    rows = [(move["at"], move["previous"], describe_target(move), move["actor"], move["reason"]) for move in moves]
    print_table(["at", "from", "to", "by", "reason"], rows)


@app.command("remove")
def remove(name: Name, label: Label, reason: Reason = "removed", project: Project = None, json: AsJson = False) -> None:
    """Remove a label: lookups by it find nothing from now on. Its history stays, and `label rollback` brings it back."""
    with connect(project) as api:
        api.delete(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}", reason=reason or None)
        (move,) = api.get(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}/history", limit=1)["items"]
    if json:
        print_json(move)
    else:
        print_line(f"{name}  {label} removed; it pointed at version {move['previous']}")


@app.command("rollback")
def roll_back(
    name: Name,
    label: Label,
    to: Annotated[
        int | None, typer.Option("--to", help="A version that the label has pointed at.", parser=integer, metavar="INTEGER")
    ] = None,
    reason: Reason = "rolled back",
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Move a label back to its previous target, a second time to the one before; a split or a removed label is restored."""
    with connect(project) as api:
        moved = api.post(f"/prompts/{path_segment(name)}/labels/{path_segment(label)}/rollback", {"reason": reason, "to": to})
    if json:
        print_json(moved)
    else:
        print_line(describe_label(name, label, moved))
