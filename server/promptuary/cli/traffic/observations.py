"""`promptuary traffic observations`: the calls of the sample."""

from itertools import islice
from typing import Annotated, Any, Literal

import typer

from promptuary.cli.connection import connect
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_table
from promptuary.cli.traffic.periods import since as parse_since

_TEXT = 60
"""How many characters of an answer a line has."""


def observations(
    prompt: Annotated[str | None, typer.Argument(help="The prompt; without one, of all prompts.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="The version that was used.", parser=integer, metavar="INTEGER")
    ] = None,
    status: Annotated[Literal["ok", "error", "incomplete"] | None, typer.Option("--status", help="How calls ended.")] = None,
    stratum: Annotated[
        Literal["random", "error", "low_feedback"] | None, typer.Option("--stratum", help="Why calls are in the sample.")
    ] = None,
    feedback: Annotated[Literal["any", "low", "none"] | None, typer.Option("--feedback", help="By feedback on them.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="How long ago, such as 7d or 12h, or when.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", help="The most calls, the newest first.", parser=integer, metavar="INTEGER")
    ] = 50,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List sampled calls, the newest first; `--json` prints their contents, which are people's data."""
    query: dict[str, Any] = {"prompt": prompt, "version": version, "status": status, "stratum": stratum, "feedback": feedback}
    query["from"] = None if since is None else parse_since(since)
    stated = {name: value for name, value in query.items() if value is not None}
    with connect(project) as api:
        calls = list(islice(api.items("/observations", page=max(1, min(limit, 200)), **stated), limit))
    if json:
        print_json(calls)
        return
    columns = ["at", "id", "prompt", "version", "status", "ms", "probability", "feedback", "answer"]
    print_table(columns, [_row(call) for call in calls])


def _row(call: Any) -> list[Any]:
    values = [feedback["value"] for feedback in call["feedback"] if feedback["value"] is not None]
    error = call["error"] or {}
    text = call["output"] or error.get("message") or error.get("type") or ""
    return [
        call["at"],
        call["id"],
        call["prompt"],
        call["version"],
        call["status"],
        None if call["latency_ms"] is None else round(call["latency_ms"]),
        f"{call['probability']:.4g}",
        ", ".join(f"{value:g}" for value in values),
        text[:_TEXT],
    ]
