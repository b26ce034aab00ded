"""`promptuary traffic to-dataset`: cases made of sampled calls."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line
from promptuary.cli.traffic.periods import since as parse_since

DEFAULT_PERIOD = "7d"


class StratumChoice(StrEnum):
    """Why the contents of a call are in the sample; mirrors `promptuary.traffic.tables.Stratum`."""

    RANDOM = "random"
    ERROR = "error"
    LOW_FEEDBACK = "low_feedback"


def to_dataset(
    prompt: Annotated[str, typer.Argument(help="The prompt whose calls become cases.")],
    name: Annotated[str, typer.Argument(help="The dataset that gets them.")],
    version: Annotated[
        int | None, typer.Option("--version", help="Calls that this version answered.", parser=integer, metavar="INTEGER")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="Calls of applications that look this label up.")] = None,
    since: Annotated[
        str, typer.Option("--since", help="How long ago the first call began, such as 7d or 12h, or when.")
    ] = DEFAULT_PERIOD,
    stratum: Annotated[StratumChoice | None, typer.Option("--stratum", help="Calls that were sampled for this reason.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="So many of them, chosen at random.", parser=integer, metavar="INTEGER")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of --limit.", parser=integer, metavar="INTEGER")] = 0,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Add the inputs of sampled calls to a dataset, as its next version; inputs that it has stay as they are."""
    body = {
        "prompt": prompt,
        "dataset": name,
        "since": parse_since(since),
        "traffic_version": version,
        "traffic_label": label,
        "stratum": stratum,
        "limit": limit,
        "seed": seed,
    }
    with connect(project) as api:
        added = api.post("/traffic/datasets", body)
    if json:
        print_json(added)
        return
    for line in _lines(added):
        print_line(line)
    if added["cases"]:
        print_line(f"  as a file for suites: promptuary dataset get {added['dataset']} -o {added['dataset']}.jsonl")


def _lines(added: Any) -> list[str]:
    lines = [
        f"{added['dataset']} v{added['version']}: {added['added']} cases added of {added['calls']} sampled calls, "
        f"{added['present']} inputs in the dataset already; {added['cases']} cases in all"
    ]
    for reason, count in added["dropped"].items():
        examples = ", ".join(added["examples"].get(reason, ()))
        lines.append(f"  left out: {count} {reason} ({examples})")
    if added["dropped"]:
        lines.append(f"  left out, by weight: {added['dropped_share']:.1%} of all calls")
    return lines
