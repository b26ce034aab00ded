"""The plots of a run: what goes into them, and the words and tables beside them."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from promptuary.evaluation.reports.findings import BINS, Findings, RunningMean
from promptuary.evaluation.reports.formatting import format_number
from promptuary.evaluation.reports.html_table import Cell, html_table
from promptuary.evaluation.reports.svg import DotRow, IntervalRow, dot_plot, forest_plot, histogram_plot
from promptuary.prompt.text import show_hidden

ROWS_LIMIT = 40
VARIANTS_LIMIT = 12
CLUSTERS_LIMIT = 25


def means_figure(summary: Mapping[str, Any], rows: Sequence[tuple[Mapping[str, Any], str, Mapping[str, Any]]]) -> str:
    """Draw the means with their intervals, and the floors that the gate asks for."""
    floors = {(one["candidate"], one["metric"]): one["bound"] for one in summary["gates"] if one["kind"] == "at_least"}
    spans = [
        IntervalRow.of(f"{variant['name']} · {metric}", of, floors.get((variant["name"], metric)), variant["role"])
        for variant, metric, of in rows
    ]
    marked = " The dashed line is the floor that the gate asks for." if floors else ""
    plot = forest_plot(
        "means", "Means with their intervals", f"Each metric's mean and interval, from 0 to 1.{marked}", spans[:ROWS_LIMIT]
    )
    return _figure(f"Mean and interval, from 0 to 1.{marked}", plot, _cut(len(spans), ROWS_LIMIT, "rows"))


def differences_figure(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the paired differences around zero, and the margins that the gate allows."""
    margins = {
        (one["candidate"], one["baseline"], one["metric"]): one["bound"]
        for one in summary["gates"]
        if one["kind"] == "not_worse_than"
    }
    spans = [
        IntervalRow.of(
            f"{one['candidate']} − {one['baseline']} · {one['metric']}",
            one["interval"],
            margins.get((one["candidate"], one["baseline"], one["metric"])),
            signed=True,
        )
        for one in rows
    ]
    marked = " The dashed line is the margin: how much worse the gate allows." if margins else ""
    said = f"Each paired difference with its interval; right of the middle is better.{marked}"
    plot = forest_plot("differences", "Paired differences with their intervals", said, spans[:ROWS_LIMIT], centred=True)
    return _figure(said, plot, _cut(len(spans), ROWS_LIMIT, "rows"))


def histogram_figure(found: Findings, summary: Mapping[str, Any]) -> str:
    """Draw how the cases' means spread over [0, 1], by variant."""
    held = [
        (one["name"], one["role"], found.distribution[one["name"]])
        for one in summary["variants"]
        if one["name"] in found.distribution
    ]
    if not held:
        return ""
    drawn = held[:VARIANTS_LIMIT]
    said = f"How many cases have which mean of {show_hidden(found.metric)}."
    plot = histogram_plot("spread", "Distribution of the cases' means", said, drawn)
    rows: list[list[str | Cell]] = [
        [f"{part / BINS:.2f} to {(part + 1) / BINS:.2f}", *(Cell(f"{counts[part]:,}") for _, _, counts in drawn)]
        for part in range(BINS)
        if any(counts[part] for _, _, counts in drawn)
    ]
    figures = _figures(html_table(["Mean", *(show_hidden(name) for name, _, _ in drawn)], rows))
    note = figures + _cut(len(held), VARIANTS_LIMIT, "variants")
    return f"<section><h2>Distribution</h2>{_figure(said, plot, note)}</section>"


def cluster_figure(found: Findings, summary: Mapping[str, Any]) -> Iterator[str]:
    """Draw each cluster's means; those that fell by most first, or where nothing is compared those of the lowest mean."""
    if len(found.clusters) < 2:
        return
    roles = {one["name"]: one["role"] for one in summary["variants"][:VARIANTS_LIMIT]}
    ranked = sorted(found.clusters.items(), key=lambda entry: (_standing(entry[1], roles), entry[0]))
    shares = [(name, {kind: mean for kind, mean in by.items() if kind in roles}) for name, by in ranked]
    rows = [
        DotRow(f"{name} ({_cases(max(mean.number for mean in by.values()))})", {kind: mean.value for kind, mean in by.items()})
        for name, by in shares[:CLUSTERS_LIMIT]
        if by
    ]
    compared = "baseline" in roles.values() and "candidate" in roles.values()
    order = "those where the candidate falls short of the baseline by most first" if compared else "the lowest first"
    said = (
        f"Each cluster's mean of {show_hidden(found.metric)}, {order}. Single clusters are small; "
        "their means are no evidence alone."
    )
    plot = dot_plot("clusters", "Means by cluster", said, rows, roles)
    kinds = dict.fromkeys(roles.values())
    keys = "".join(f'<span class="key {escape(kind)}"></span>{escape(kind)}' for kind in kinds)
    heads = ["Cluster", "Cases", *(show_hidden(name) for name in roles)]
    body: list[list[str | Cell]] = [
        [
            name,
            Cell(f"{max(mean.number for mean in by.values()):,}"),
            *(Cell(format_number(by[kind].value) if kind in by else "") for kind in roles),
        ]
        for name, by in shares[:CLUSTERS_LIMIT]
        if by
    ]
    note = f'<p class="soft">{keys}</p>' + _figures(html_table(heads, body)) + _cut(len(ranked), CLUSTERS_LIMIT, "clusters")
    yield f"<section><h2>Clusters</h2>{_figure(said, plot, note)}</section>"


def _standing(means: Mapping[str, RunningMean], roles: Mapping[str, str]) -> float:
    sides = {
        role: [mean.value for kind, mean in means.items() if roles.get(kind) == role] for role in ("candidate", "baseline")
    }
    ours, theirs = sides["candidate"], sides["baseline"]
    if ours and theirs:
        return min(ours) - max(theirs)
    return min([*ours, *theirs], default=1.0)


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count:,} cases"


def _figure(caption: str, plot: str, note: str = "") -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{plot}{note}</figure>"


def _figures(table: str) -> str:
    return f"<details><summary>As a table</summary>{table}</details>"


def _cut(there: int, most: int, what: str) -> str:
    return f'<p class="soft">The first {most} of {there:,} {what} are drawn.</p>' if there > most else ""
