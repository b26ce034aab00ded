"""`promptuary eval plan`: what effect a suite can show, before money is spent on it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.evaluation.suites import store_suite
from promptuary.cli.number_parsers import decimal
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.text import format_usd


def plan(
    suite: Annotated[str, typer.Argument(help="A suite's file, or the name of one in the registry.")],
    pilot: Annotated[
        str | None, typer.Option("--pilot", help="Estimate the variance from this run; by default the newest.")
    ] = None,
    effect: Annotated[
        float | None, typer.Option("--effect", help="The smallest difference that matters.", parser=decimal, metavar="NUMBER")
    ] = None,
    power: Annotated[
        float, typer.Option("--power", help="The probability of showing it.", parser=decimal, metavar="NUMBER")
    ] = 0.8,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Show how small an effect a suite can show, and what more cases or repeats would gain and cost."""
    with connect(project) as api:
        report = api.get(f"/suites/{path_segment(store_suite(api, suite).name)}/plan", pilot=pilot, effect=effect, power=power)
    if json:
        print_json(report)
        return
    size = f"{_cases(report)} × {report['variants']} variants × {report['repeats']} repeats = {report['results']} results"
    print_line(f"{report['suite']}: {size}{_price(report)}")
    for demand in report["demands"]:
        _show(demand, report)


def _show(demand: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    subject = demand["metric"] if demand["label"] is None else f"{demand['metric']} against {demand['label']}"
    source = (
        f"the spread is that of {report['pilot']}" if demand["source"] == "pilot" else "no run shows the spread: it is assumed"
    )
    print_line("")
    print_line(
        f"{subject}: shows a difference of {demand['detectable']:.3f} with a probability of {report['power']:.0%} ({source})"
    )
    print_line(f"  a difference of {demand['effect']:g} needs {demand['cases_needed']} cases at {report['repeats']} repeats")
    rows = [
        (
            option["cases"],
            option["repeats"],
            f"{option['effect']:.3f}",
            option["results"],
            _dollars(option["cost"]),
            _time(option["seconds"]),
        )
        for option in demand["table"]
    ]
    print_table(["cases", "repeats", "shows", "results", "cost", "time"], rows)


def _cases(report: Mapping[str, Any]) -> str:
    weighted = "" if report["effective"] is None else f" (weighted, as {report['effective']:.0f} of equal weight)"
    return f"{report['cases']} cases{weighted}"


def _price(report: Mapping[str, Any]) -> str:
    known = [text for text in (_dollars(report["cost"]), _time(report["seconds"])) if text != "?"]
    return f", about {' and '.join(known)}" if known else ""


def _dollars(cost: float | None) -> str:
    return "?" if cost is None else format_usd(cost)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
