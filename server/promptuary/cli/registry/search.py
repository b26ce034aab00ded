"""`promptuary search | similar`: search for prompts by meaning."""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import decimal, integer
from promptuary.cli.output import AsJson, Project, print_json, print_notice, print_table

Most = Annotated[int, typer.Option("-k", help="The maximum number of prompts.", parser=integer, metavar="INTEGER")]
MinScore = Annotated[
    float | None, typer.Option("--min-score", help="The minimum cosine, -1 to 1.", parser=decimal, metavar="NUMBER")
]


def search(
    text: Annotated[str, typer.Argument(help="A description of the prompt's purpose.")],
    k: Most = 10,
    min_score: MinScore = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Search for prompts by their purpose."""
    with connect(project) as api:
        _show(api.get("/search", q=text, limit=k, min_score=min_score), json)


def similar(
    name: Annotated[str, typer.Argument(help="The prompt's name, such as support.triage.")],
    label: Annotated[str | None, typer.Option("--label", help="Compare the version under a label.")] = None,
    version: Annotated[
        int | None,
        typer.Option("--version", help="Compare this version; the newest by default.", parser=integer, metavar="INTEGER"),
    ] = None,
    k: Most = 10,
    min_score: MinScore = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Find other prompts with a similar text."""
    with connect(project) as api:
        query = {"label": label, "version": version, "limit": k, "min_score": min_score}
        _show(api.get(f"/prompts/{path_segment(name)}/similar", **query), json)


def _show(response: Any, json: bool) -> None:
    if json:
        print_json(response)
        return
    rows = [
        (f"{match['score']:.3f}", match["name"], match["version"], " ".join(match["labels"]), match["snippet"])
        for match in response["items"]
    ]
    print_table(["score", "prompt", "version", "labels", "text"], rows)
    warn_unindexed(response["behind"])


def warn_unindexed(behind: int) -> None:
    """Print to standard error how many prompts are not indexed yet."""
    if behind:
        print_notice(f"{behind} prompts are not indexed yet: promptuary context reindex --prompts")
