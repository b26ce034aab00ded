"""`promptuary traffic erase-user`: what is stored of one end user, removed."""

import sys
from typing import Annotated

import typer

from promptuary.cli.connection import connect
from promptuary.cli.output import AsJson, Project, print_json, print_line


def erase_user(
    user: Annotated[
        str, typer.Argument(help="The id that the application sends as the user; `-` reads it from standard input.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; stored in the audit chain, without the id.")],
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Erase an end user's calls, feedback and scores for good, and what was made of them. For admins."""
    name = sys.stdin.readline().rstrip("\r\n") if user == "-" else user
    with connect(project) as api:
        erased = api.post("/observations/erase", {"user": name, "reason": reason})
    if json:
        print_json(erased)
        return
    removed = ", ".join(f"{count} {thing.replace('_', ' ')}" for thing, count in erased["removed"].items() if count)
    print_line(f"removed: {removed or 'nothing'}")
    print_line(f"files: {erased['storage']['detail']}")
    for sentence in erased["remaining"]:
        print_line(f"not erased: {sentence}")
