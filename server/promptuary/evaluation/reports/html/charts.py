"""The figures of the HTML report: their plots, captions and tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from promptuary.evaluation.reports.findings import BINS, Findings, RunningMean
from promptuary.evaluation.reports.formatting import format_number
from promptuary.evaluation.reports.html.html_table import Cell, html_table
from promptuary.evaluation.reports.html.svg import DotRow, IntervalRow, dot_plot, forest_plot, histogram_plot
from promptuary.evaluation.summary_model import Comparison, GateKind, IntervalFigures, Summary, VariantRole, VariantSummary
from promptuary.prompt.text import show_hidden

ROWS_LIMIT = 40
VARIANTS_LIMIT = 12
CLUSTERS_LIMIT = 25


def means_figure(summary: Summary, rows: Sequence[tuple[VariantSummary, str, IntervalFigures]]) -> str:
    """Draw the means with their intervals, and the floors that the gate requires."""
    floors = {(gate.candidate, gate.metric): gate.bound for gate in summary.gates if gate.kind is GateKind.AT_LEAST}
    spans = [
        IntervalRow.of(f"{variant.name} · {metric}", interval, floors.get((variant.name, metric)), variant.role)
        for variant, metric, interval in rows
    ]
    legend = " The dashed line is the floor that the gate requires." if floors else ""
    plot = forest_plot(
        "means", "Means with their intervals", f"Each metric's mean and interval, from 0 to 1.{legend}", spans[:ROWS_LIMIT]
    )
    return _figure(f"Mean and interval, from 0 to 1.{legend}", plot, _cut_note(len(spans), ROWS_LIMIT, "rows"))


def differences_figure(summary: Summary, rows: Sequence[tuple[Comparison, IntervalFigures]]) -> str:
    """Draw the paired differences around zero, and the margins that the gate allows."""
    margins = {
        (gate.candidate, gate.baseline, gate.metric): gate.bound
        for gate in summary.gates
        if gate.kind is GateKind.NOT_WORSE_THAN
    }
    spans = [
        IntervalRow.of(
            f"{comparison.candidate} − {comparison.baseline} · {comparison.metric}",
            interval,
            margins.get((comparison.candidate, comparison.baseline, comparison.metric)),
            signed=True,
        )
        for comparison, interval in rows
    ]
    legend = " The dashed line is the margin: how much worse the gate allows." if margins else ""
    caption = f"Each paired difference with its interval; right of the middle is better.{legend}"
    plot = forest_plot("differences", "Paired differences with their intervals", caption, spans[:ROWS_LIMIT], centred=True)
    return _figure(caption, plot, _cut_note(len(spans), ROWS_LIMIT, "rows"))


def histogram_figure(findings: Findings, summary: Summary) -> str:
    """Draw the distribution of the cases' means over [0, 1], by variant."""
    histograms = [
        (variant.name, variant.role, findings.distribution[variant.name])
        for variant in summary.variants
        if variant.name in findings.distribution
    ]
    if not histograms:
        return ""
    drawn = histograms[:VARIANTS_LIMIT]
    caption = f"How many cases have which mean of {show_hidden(findings.metric)}."
    plot = histogram_plot("spread", "Distribution of the cases' means", caption, drawn)
    rows: list[list[str | Cell]] = [
        [f"{part / BINS:.2f} to {(part + 1) / BINS:.2f}", *(Cell(f"{counts[part]:,}") for _, _, counts in drawn)]
        for part in range(BINS)
        if any(counts[part] for _, _, counts in drawn)
    ]
    table = _folded_table(html_table(["Mean", *(show_hidden(name) for name, _, _ in drawn)], rows))
    note = table + _cut_note(len(histograms), VARIANTS_LIMIT, "variants")
    return f"<section><h2>Distribution</h2>{_figure(caption, plot, note)}</section>"


def cluster_figure(findings: Findings, summary: Summary) -> Iterator[str]:
    """Draw each cluster's means: the largest drop first, or the lowest mean first where nothing is compared."""
    if len(findings.clusters) < 2:
        return
    roles = {variant.name: variant.role for variant in summary.variants[:VARIANTS_LIMIT]}
    ranked = sorted(findings.clusters.items(), key=lambda entry: (_rank(entry[1], roles), entry[0]))
    drawn = [
        (cluster, {name: mean for name, mean in means.items() if name in roles}) for cluster, means in ranked[:CLUSTERS_LIMIT]
    ]
    drawn = [(cluster, means) for cluster, means in drawn if means]
    rows = [
        DotRow(f"{cluster} ({_cases(_case_count(means))})", {name: mean.value for name, mean in means.items()})
        for cluster, means in drawn
    ]
    compared = VariantRole.BASELINE in roles.values() and VariantRole.CANDIDATE in roles.values()
    order = "those where the candidate falls short of the baseline by most first" if compared else "the lowest first"
    caption = (
        f"Each cluster's mean of {show_hidden(findings.metric)}, {order}. Single clusters are small; "
        "their means are no evidence alone."
    )
    plot = dot_plot("clusters", "Means by cluster", caption, rows, roles)
    keys = "".join(f'<span class="key {escape(role)}"></span>{escape(role)}' for role in dict.fromkeys(roles.values()))
    note = f'<p class="soft">{keys}</p>' + _folded_table(_cluster_table(drawn, roles))
    note += _cut_note(len(ranked), CLUSTERS_LIMIT, "clusters")
    yield f"<section><h2>Clusters</h2>{_figure(caption, plot, note)}</section>"


def _cluster_table(clusters: Sequence[tuple[str, Mapping[str, RunningMean]]], names: Iterable[str]) -> str:
    names = list(names)
    body: list[list[str | Cell]] = [
        [
            cluster,
            Cell(f"{_case_count(means):,}"),
            *(Cell(format_number(means[name].value) if name in means else "") for name in names),
        ]
        for cluster, means in clusters
    ]
    return html_table(["Cluster", "Cases", *map(show_hidden, names)], body)


def _case_count(means: Mapping[str, RunningMean]) -> int:
    return max(mean.number for mean in means.values())


def _rank(means: Mapping[str, RunningMean], roles: Mapping[str, VariantRole]) -> float:
    """Return the sort key of a cluster: the candidate's deficit where both sides have a mean, else the lowest mean."""
    candidates, baselines = (
        [mean.value for name, mean in means.items() if roles.get(name) is role]
        for role in (VariantRole.CANDIDATE, VariantRole.BASELINE)
    )
    if candidates and baselines:
        return min(candidates) - max(baselines)
    return min([*candidates, *baselines], default=1.0)


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count:,} cases"


def _figure(caption: str, plot: str, note: str = "") -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{plot}{note}</figure>"


def _folded_table(table: str) -> str:
    return f"<details><summary>As a table</summary>{table}</details>"


def _cut_note(count: int, most: int, noun: str) -> str:
    return f'<p class="soft">The first {most} of {count:,} {noun} are drawn.</p>' if count > most else ""
