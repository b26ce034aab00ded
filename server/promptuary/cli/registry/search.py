"""`promptuary search | similar`: prompts by what they say."""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_table

Most = Annotated[int, typer.Option("-k", help="The most prompts.")]
MinScore = Annotated[float | None, typer.Option("--min-score", help="The least cosine, -1 to 1.")]


def search(
    text: Annotated[str, typer.Argument(help="What the prompt is for, in your own words.")],
    k: Most = 10,
    min_score: MinScore = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Find prompts by what they are for."""
    with connect(project) as api:
        _show(api.get("/search", q=text, limit=k, min_score=min_score), json)


def similar(
    name: Annotated[str, typer.Argument(help="The prompt's name, as support.triage.")],
    label: Annotated[str | None, typer.Option("--label", help="Compare the version under a label.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="Compare this version; the newest without one.")] = None,
    k: Most = 10,
    min_score: MinScore = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Find other prompts that say nearly the same."""
    with connect(project) as api:
        query = {"label": label, "version": version, "limit": k, "min_score": min_score}
        _show(api.get(f"/prompts/{path_segment(name)}/similar", **query), json)


def _show(found: Any, json: bool) -> None:
    if json:
        print_json(found)
        return
    rows = [
        (f"{one['score']:.3f}", one["name"], one["version"], " ".join(one["labels"]), one["snippet"]) for one in found["items"]
    ]
    print_table(["score", "prompt", "version", "labels", "text"], rows)
    warn_unindexed(found["behind"])


def warn_unindexed(behind: int) -> None:
    """Say on standard error how many prompts no search can find yet."""
    if behind:
        typer.echo(f"{behind} prompts are not indexed yet: promptuary context reindex --prompts", err=True)
