"""`promptuary eval judges`: how far each judge agrees with people, and whether its figures may be relied on."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_notice, print_table

COLUMNS = ("metric", "model", "rubric", "licence", "labels", "sensitivity", "specificity", "κ", "AC1")
LICENCES = {
    "valid": "valid",
    "too_few_labels": "{needed} labels needed",
    "expired": "expired ({changed}): {needed} labels needed",
}


def judges(
    metric: Annotated[str | None, typer.Argument(help="Only the judges of this metric.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the judges of metrics, compared with labels of people."""
    with connect(project) as api:
        calibrations = list(_read_calibrations(api, metric))
    if json:
        print_json(calibrations)
        return
    if not calibrations:
        print_notice("no suite has a judge" + (f" of '{metric}'" if metric else ""))
        return
    print_table(COLUMNS, [_row(calibration) for calibration in calibrations])


def _read_calibrations(api: ApiClient, metric: str | None) -> Iterator[dict[str, Any]]:
    for judge in api.items("/judges"):
        if metric is None or judge["metric"] == metric:
            yield api.get(f"/judges/{path_segment(judge['digest'])}/calibration")


def _row(calibration: dict[str, Any]) -> list[str]:
    licence = calibration["licence"]
    described = LICENCES[licence["state"]].format(needed=licence["labels_needed"], changed=", ".join(licence["changed"]))
    rubric = calibration["rubric_digest"].removeprefix("sha256:")[:8]
    figures = [_figure(calibration[name]) for name in ("sensitivity", "specificity", "kappa", "ac1")]
    return [calibration["metric"], calibration["model"], rubric, described, str(licence["labels"]), *figures]


def _figure(figures: dict[str, Any] | None) -> str:
    """Return an estimate with its bounds; why it is undefined, or nothing, where it is not there."""
    if figures is None:
        return ""
    estimate = figures.get("estimate", figures.get("value"))
    if estimate is None:
        return str(figures.get("reason") or "")
    bounds = "" if figures["low"] is None or figures["high"] is None else f" [{figures['low']:.3f}, {figures['high']:.3f}]"
    return f"{estimate:.3f}{bounds}".replace("-", "−")
