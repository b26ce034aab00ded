"""Plots of a run: means and differences with their intervals, the distribution of scores, and the means of clusters.

The browser draws them from the data alone and calls no other server; Streamlit's theme provides the colours, light or dark.
Names come from suites and cases: they are data of the plot, which shows them as text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from promptuary_ui.components.number_format import format_score
from promptuary_ui.wire.judges import CurvePoint
from promptuary_ui.wire.runs import Comparison, Distribution, GateResult, IntervalFigures, Summary

INTERVAL_LIMIT = 60
"""The largest number of intervals in one plot; the tables have all."""
LANE_HEIGHT = 18
"""The height of one interval, in pixels."""
BOUND_COLOUR = "#c2553d"
"""The colour of a gate's bounds, visible on light and dark backgrounds."""
ZERO_COLOUR = "#87938f"
"""The colour of the line at zero difference."""
_Row = dict[str, Any]


def plot_means(summary: Summary) -> None:
    """Plot every variant's mean on every metric, with the least means that the gate requires."""
    rows = [
        _interval_row(metric, variant.name, figures.interval)
        for metric in summary.metrics
        for variant in summary.variants
        if (figures := variant.metrics.get(metric)) is not None and figures.interval is not None
    ]
    bounds = _bound_rows(summary.gates, "at_least")
    title = "Means" + _level_text(rows)
    axes = _IntervalAxes("mean over cases, from 0 to 1", "variant", "the gate's least mean", [0, 1])
    _plot_intervals(title, axes, rows, bounds)


def plot_differences(comparisons: Sequence[Comparison], gates: Sequence[GateResult] = ()) -> None:
    """Plot every paired difference, with a line at zero and the margins that the gate allows."""
    rows = [
        _interval_row(
            difference.metric, f"{difference.candidate} − {difference.baseline}", difference.interval, cases=difference.cases
        )
        for difference in comparisons
        if difference.interval is not None
    ]
    title = "Paired differences" + _level_text(rows)
    axes = _IntervalAxes("candidate minus baseline", "comparison", "the largest drop that the gate allows", None)
    _plot_intervals(title, axes, rows, _bound_rows(gates, "not_worse_than"))


def plot_histogram(distribution: Distribution, names: Sequence[str]) -> None:
    """Plot the share of each variant's results in each bin of [0, 1]; `names` orders the variants."""
    rows = _histogram_rows(distribution, names)
    if not rows:
        st.caption("No result has a value on this metric.")
        return
    spec = {
        "title": "Distribution of scores",
        "height": 330,
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "x": {"field": "from", "type": "ordinal", "title": "score, in parts of 0.05 from", "axis": {"labelAngle": 0}},
            "xOffset": {"field": "variant", "sort": list(names)},
            "y": {"field": "share", "type": "quantitative", "title": "share of cases", "axis": {"format": "%"}},
            "color": _colour_scale("variant", names, "variant"),
            "tooltip": [
                {"field": "variant", "title": "variant"},
                {"field": "part", "title": "score"},
                {"field": "cases", "title": "cases"},
                {"field": "share", "title": "share", "format": ".1%"},
            ],
        },
    }
    totals = "; ".join(f"{histogram.variant}: {sum(histogram.counts)} cases" for histogram in distribution.spreads)
    _show_plot(rows, spec, f"Distribution of {distribution.metric}. {totals}.")


def _histogram_rows(distribution: Distribution, names: Sequence[str]) -> list[_Row]:
    rows = []
    for histogram in sorted(distribution.spreads, key=lambda histogram: _position(names, histogram.variant)):
        total, bins = sum(histogram.counts), len(histogram.counts)
        for number, count in enumerate(histogram.counts):
            low = number / bins
            part = f"{low:.2f} to {low + 1 / bins:.2f}"
            share = count / total if total else 0.0
            rows.append({"from": f"{low:.2f}", "part": part, "share": share, "cases": count, "variant": histogram.variant})
    return rows


def plot_clusters(distribution: Distribution, names: Sequence[str]) -> None:
    """Plot each cluster's mean under each variant; a line joins the means of one cluster."""
    if not distribution.means:
        st.caption("The cases of this run are not in clusters.")
        return
    rows = [vars(mean) for mean in distribution.means]
    clusters = list(dict.fromkeys(mean.cluster for mean in distribution.means))
    title = f"Means of the {len(clusters)} largest of {distribution.clusters} clusters"
    y = {"field": "cluster", "type": "nominal", "sort": clusters, "title": None, "axis": {"labelLimit": 220}}
    x = {
        "field": "mean",
        "type": "quantitative",
        "title": "mean of results, from 0 to 1",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 10},
    }
    spec = {
        "title": title if len(clusters) < distribution.clusters else "Means by cluster, the largest first",
        "height": {"step": 24},
        "layer": [
            {"mark": {"type": "line", "opacity": 0.35}, "encoding": {"x": x, "y": y, "detail": {"field": "cluster"}}},
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": _colour_scale("variant", names, "variant"),
                    "shape": {"field": "variant", "type": "nominal", "title": "variant", "scale": {"domain": list(names)}},
                    "tooltip": [
                        {"field": "cluster", "title": "cluster"},
                        {"field": "variant", "title": "variant"},
                        {"field": "mean", "title": "mean", "format": ".3f"},
                        {"field": "results", "title": "results"},
                    ],
                },
            },
        ],
    }
    _show_plot(rows, spec, f"Means of {distribution.metric} in {len(clusters)} clusters.")


def plot_judge_curve(points: Sequence[CurvePoint], name: str) -> None:
    """Plot what people passed by a graded judge's score, with the line on which a judge and people are the same."""
    rows: list[_Row] = [
        {"score": point.mean_score, "passed": point.passed.estimate, "low": point.passed.low, "high": point.passed.high}
        | {"labels": point.labels}
        for point in points
    ]
    scale = {"domain": [0, 1]}
    x = {"field": "score", "type": "quantitative", "title": "mean score of the judge", "scale": scale}
    y = {"field": "passed", "type": "quantitative", "title": "passed by people", "scale": scale, "axis": {"format": "%"}}
    tooltip = [
        {"field": "score", "title": "mean score", "format": ".3f"},
        {"field": "passed", "title": "passed by people", "format": ".1%"},
        {"field": "labels", "title": "labels"},
    ]
    ends = {"values": [{"score": 0, "passed": 0}, {"score": 1, "passed": 1}]}
    dashed = {"type": "line", "strokeDash": [4, 4], "color": ZERO_COLOUR}
    spec = {
        "title": "What people passed, by the judge's score",
        "height": 240,
        "layer": [
            {"data": ends, "mark": dashed, "encoding": {"x": x, "y": y}},
            {"mark": {"type": "rule", "size": 3}, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {"x": x, "y": y, "tooltip": tooltip},
            },
        ],
    }
    shares = "; ".join(f"{row['score']:.2f}: {row['passed']:.0%} of {row['labels']} labels" for row in rows)
    _show_plot(rows, spec, f"What people passed by the score of {name}. {shares}.")


def _position(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _colour_scale(field: str, names: Sequence[str], title: str) -> dict[str, Any]:
    """Return the colour encoding, in which a name has the same colour in every plot; a single name needs no legend."""
    legend = {"orient": "top", "labelLimit": 300} if len(names) > 1 else None
    return {"field": field, "type": "nominal", "title": title, "scale": {"domain": list(names)}, "legend": legend}


def _interval_row(metric: str, name: str, interval: IntervalFigures, **more: Any) -> _Row:
    figures = {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "cases": interval.n}
    return {"metric": metric, "name": name, "level": interval.level, "kind": "interval", **figures, **more}


def _bound_rows(gates: Sequence[GateResult], kind: str) -> list[_Row]:
    bounds = {(gate.metric, gate.bound) for gate in gates if gate.kind == kind and gate.bound is not None}
    return [{"metric": metric, "estimate": bound, "kind": "bound"} for metric, bound in sorted(bounds)]


def _level_text(rows: Sequence[_Row]) -> str:
    return f", with {rows[0]['level']:.0%} intervals" if rows else ""


@dataclass(frozen=True)
class _IntervalAxes:
    """The texts and the domain of an interval plot: the value axis, what a name is, and what a bound means."""

    value: str
    name: str
    bound: str
    domain: list[float] | None


def _plot_intervals(title: str, axes: _IntervalAxes, rows: list[_Row], bounds: list[_Row]) -> None:
    if not rows:
        st.caption("There is nothing to plot: no case has a score.")
        return
    plotted = rows[:INTERVAL_LIMIT]
    metrics = list(dict.fromkeys(row["metric"] for row in plotted))
    names = list(dict.fromkeys(row["name"] for row in plotted))
    bounds = [bound for bound in bounds if bound["metric"] in metrics]
    scale = {"domain": axes.domain} if axes.domain else {"zero": True, "nice": True}
    y = {"field": "metric", "type": "nominal", "sort": metrics, "title": None, "axis": {"labelLimit": 200}}
    x = {"field": "estimate", "type": "quantitative", "title": axes.value, "scale": scale, "axis": {"tickCount": 10}}
    layers = _interval_layers(x, y, names, axes.name)
    if axes.domain is None:
        zero = {"mark": {"type": "rule", "color": ZERO_COLOUR}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}}
        layers.insert(0, zero)
    if bounds:
        layers.append(_bound_layer(x, y, axes.bound, len(names) * LANE_HEIGHT + 8))
    spec = {"title": title, "height": {"step": len(names) * LANE_HEIGHT + 12, "for": "position"}, "layer": layers}
    estimates = "; ".join(f"{row['metric']} of {row['name']}: {format_score(row['estimate'])}" for row in plotted)
    _show_plot([*plotted, *bounds], spec, f"{title}. {estimates}.")
    if bounds:
        st.caption(f":red[▎] {axes.bound[0].upper()}{axes.bound[1:]}.")
    if len(rows) > INTERVAL_LIMIT:
        st.caption(f"The first {INTERVAL_LIMIT} of {len(rows)} are plotted; the table has all.")


def _interval_layers(x: _Row, y: _Row, names: Sequence[str], name_title: str) -> list[_Row]:
    """Return the layers of an interval: a rule from its lower to its upper bound, and a point at the estimate."""
    tooltip = [
        {"field": "metric", "title": "metric"},
        {"field": "name", "title": name_title},
        {"field": "estimate", "title": "estimate", "format": ".3f"},
        {"field": "low", "title": "lower bound", "format": ".3f"},
        {"field": "high", "title": "upper bound", "format": ".3f"},
        {"field": "cases", "title": "cases"},
    ]
    lane = {"field": "name", "type": "nominal", "sort": list(names)}
    encoding = {"y": y, "yOffset": lane, "color": _colour_scale("name", names, name_title), "tooltip": tooltip}
    is_interval = {"filter": "datum.kind == 'interval'"}
    return [
        {
            "transform": [is_interval],
            "mark": {"type": "rule", "size": 3, "strokeCap": "round"},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, **encoding},
        },
        {
            "transform": [is_interval],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": x, **encoding},
        },
    ]


def _bound_layer(x: _Row, y: _Row, title: str, size: int) -> _Row:
    """Return the layer that marks the bounds of a gate."""
    tooltip = [{"field": "metric", "title": "metric"}, {"field": "estimate", "title": title, "format": ".3f"}]
    return {
        "transform": [{"filter": "datum.kind == 'bound'"}],
        "mark": {"type": "tick", "color": BOUND_COLOUR, "thickness": 2.5, "size": size},
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
    }


def _show_plot(rows: Sequence[_Row], spec: dict[str, Any], alternative_text: str) -> None:
    """Show a plot, with its figures as an alternative text for screen readers."""
    st.vega_lite_chart(list(rows), spec, width="stretch", alt=alternative_text[:2000])
