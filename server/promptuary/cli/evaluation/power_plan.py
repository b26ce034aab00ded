"""`promptuary eval plan`: what a suite would show, before a cent is spent on it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.evaluation.suites import store_suite
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.text import format_usd


def plan(
    suite: Annotated[str, typer.Argument(help="A suite's file, or the name of one that the registry has.")],
    pilot: Annotated[str | None, typer.Option("--pilot", help="Learn from this run; by default the newest.")] = None,
    effect: Annotated[float | None, typer.Option("--effect", help="The smallest difference that matters.")] = None,
    power: Annotated[float, typer.Option("--power", help="The chance of showing it.")] = 0.8,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Say how small an effect a suite would show, and what more cases or repeats would buy and cost."""
    with connect(project) as api:
        found = api.get(f"/suites/{path_segment(store_suite(api, suite).name)}/plan", pilot=pilot, effect=effect, power=power)
    if json:
        print_json(found)
        return
    whole = f"{found['cases']} cases × {found['variants']} variants × {found['repeats']} repeats = {found['results']} results"
    print_line(f"{found['suite']}: {whole}{_price(found)}")
    for demand in found["demands"]:
        _show(demand, found)


def _show(demand: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    what = demand["metric"] if demand["label"] is None else f"{demand['metric']} against {demand['label']}"
    source = (
        f"the spread is that of {found['pilot']}" if demand["source"] == "pilot" else "no run tells the spread: it is assumed"
    )
    print_line("")
    print_line(f"{what}: shows a difference of {demand['detectable']:.3f} with a chance of {found['power']:.0%} ({source})")
    print_line(f"  a difference of {demand['effect']:g} needs {demand['cases_needed']} cases at {found['repeats']} repeats")
    rows = [
        (one["cases"], one["repeats"], f"{one['effect']:.3f}", one["results"], _dollars(one["cost"]), _time(one["seconds"]))
        for one in demand["table"]
    ]
    print_table(["cases", "repeats", "shows", "results", "cost", "time"], rows)


def _price(found: Mapping[str, Any]) -> str:
    known = [text for text in (_dollars(found["cost"]), _time(found["seconds"])) if text != "?"]
    return f", about {' and '.join(known)}" if known else ""


def _dollars(cost: float | None) -> str:
    return "?" if cost is None else format_usd(cost)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
