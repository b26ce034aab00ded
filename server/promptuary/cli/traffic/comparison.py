"""`promptuary traffic compare`: two versions of a prompt side by side in production."""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.cli.traffic.periods import since as parse_since


def compare(
    prompt: Annotated[str, typer.Argument(help="The prompt.")],
    baseline: Annotated[int, typer.Argument(help="The version to compare with.", parser=integer, metavar="BASELINE")],
    candidate: Annotated[int, typer.Argument(help="The other version.", parser=integer, metavar="CANDIDATE")],
    since: Annotated[str, typer.Option("--since", help="How long ago, such as 7d or 12h, or when.")] = "30d",
    until: Annotated[str | None, typer.Option("--until", help="How long ago, or when; now by default.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Show whether a version is worse than another one: their figures, and the differences with 95 % intervals."""
    query: dict[str, Any] = {"baseline": baseline, "candidate": candidate, "from": parse_since(since)}
    query |= {"to": parse_since(until)} if until else {}
    with connect(project) as api:
        comparison = api.get(f"/prompts/{path_segment(prompt)}/traffic/comparison", **query)
    if json:
        print_json(comparison)
        return
    print_line(f"version {candidate} of {prompt} beside version {baseline}, from {comparison['from']} to {comparison['to']}")
    columns = ["figure", f"version {baseline}", f"version {candidate}", "difference", "95 % interval", "finding"]
    print_table(columns, [_row(figure) for figure in comparison["figures"]])


def _row(figure: Any) -> list[Any]:
    difference = figure["difference"]
    interval = None if difference is None else f"{difference['low']:.4g} to {difference['high']:.4g}"
    estimates = [_number(figure["baseline"]), _number(figure["candidate"])]
    return [figure["name"], *estimates, _number(difference and difference["estimate"]), interval, figure["finding"]]


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
