"""Plots of a run: means and differences with their intervals, how scores lie, and the means of clusters.

They are drawn in the browser from the figures alone, without any call to elsewhere; Streamlit's theme gives the colours, light
or dark. Names come from suites and cases: they are data of the plot, which shows them as text.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from promptuary_ui.components.number_format import format_score
from promptuary_ui.wire.runs import Comparison, Distribution, GateResult, IntervalFigures, Summary

INTERVAL_LIMIT = 60
"""The most intervals in one plot; the tables have all."""
LANE_HEIGHT = 18
"""The height of one interval, in pixels."""
BOUND_COLOUR = "#c2553d"
"""Of the lines that a gate draws; it is seen on light and on dark."""
ZERO_COLOUR = "#87938f"
"""Of the line at no difference."""
_Row = dict[str, Any]


def plot_means(summary: Summary) -> None:
    """Plot every variant's mean on every metric, with the floors that the gate sets."""
    rows = [
        _interval_row(metric, variant.name, figures.interval)
        for metric in summary.metrics
        for variant in summary.variants
        if (figures := variant.metrics.get(metric)) is not None and figures.interval is not None
    ]
    floors = _bound_rows(summary.gates, "at_least")
    title = "Means" + _level_text(rows)
    said = "the gate's least mean"
    _plot_intervals(title, "mean over cases, from 0 to 1", rows, floors, said, "variant", [0, 1])


def plot_differences(comparisons: Sequence[Comparison], gates: Sequence[GateResult] = ()) -> None:
    """Plot every paired difference, with a line at no difference and the margins that the gate allows."""
    rows = [
        _interval_row(found.metric, f"{found.candidate} − {found.baseline}", found.interval, cases=found.cases)
        for found in comparisons
        if found.interval is not None
    ]
    title = "Paired differences" + _level_text(rows)
    said = "the most that the gate lets it be worse"
    _plot_intervals(title, "candidate minus baseline", rows, _bound_rows(gates, "not_worse_than"), said, "comparison", None)


def plot_histogram(found: Distribution, names: Sequence[str]) -> None:
    """Plot what share of each variant's results lies in each part of [0, 1]; `names` orders the variants."""
    rows = []
    for one in sorted(found.spreads, key=lambda one: _position(names, one.variant)):
        total = sum(one.counts)
        for place, count in enumerate(one.counts):
            low = place / len(one.counts)
            part = f"{low:.2f} to {low + 1 / len(one.counts):.2f}"
            share = count / total if total else 0.0
            rows.append({"from": f"{low:.2f}", "part": part, "share": share, "results": count, "variant": one.variant})
    if not rows:
        st.caption("No result has a value on this metric.")
        return
    spec = {
        "title": "How the scores lie",
        "height": 330,
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "x": {"field": "from", "type": "ordinal", "title": "score, in parts of 0.05 from", "axis": {"labelAngle": 0}},
            "xOffset": {"field": "variant", "sort": list(names)},
            "y": {"field": "share", "type": "quantitative", "title": "share of results", "axis": {"format": "%"}},
            "color": _colour_scale("variant", names, "variant"),
            "tooltip": [
                {"field": "variant", "title": "variant"},
                {"field": "part", "title": "score"},
                {"field": "results", "title": "results"},
                {"field": "share", "title": "share", "format": ".1%"},
            ],
        },
    }
    told = "; ".join(f"{one.variant}: {sum(one.counts)} results" for one in found.spreads)
    _show_plot(rows, spec, f"Distribution of {found.metric}. {told}.")


def plot_clusters(found: Distribution, names: Sequence[str]) -> None:
    """Plot each cluster's mean under each variant; a line joins what belongs to one cluster."""
    if not found.means:
        st.caption("The cases of this run are not in clusters.")
        return
    rows = [vars(mean) for mean in found.means]
    shown = list(dict.fromkeys(mean.cluster for mean in found.means))
    some = f"Means of the {len(shown)} largest of {found.clusters} clusters"
    y = {"field": "cluster", "type": "nominal", "sort": shown, "title": None, "axis": {"labelLimit": 220}}
    x = {
        "field": "mean",
        "type": "quantitative",
        "title": "mean of results, from 0 to 1",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 10},
    }
    spec = {
        "title": some if len(shown) < found.clusters else "Means by cluster, the largest first",
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
    _show_plot(rows, spec, f"Means of {found.metric} in {len(shown)} clusters.")


def _position(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _colour_scale(field: str, names: Sequence[str], word: str) -> dict[str, Any]:
    """Give each name the same colour in every plot; one name alone needs no legend."""
    legend = {"orient": "top", "labelLimit": 300} if len(names) > 1 else None
    return {"field": field, "type": "nominal", "title": word, "scale": {"domain": list(names)}, "legend": legend}


def _interval_row(metric: str, name: str, interval: IntervalFigures, **more: Any) -> _Row:
    figures = {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "cases": interval.n}
    return {"metric": metric, "name": name, "level": interval.level, "kind": "interval", **figures, **more}


def _bound_rows(gates: Sequence[GateResult], kind: str) -> list[_Row]:
    found = {(gate.metric, gate.bound) for gate in gates if gate.kind == kind and gate.bound is not None}
    return [{"metric": metric, "estimate": bound, "kind": "bound"} for metric, bound in sorted(found)]


def _level_text(rows: Sequence[_Row]) -> str:
    return f", with {rows[0]['level']:.0%} intervals" if rows else ""


def _plot_intervals(
    title: str, axis: str, rows: list[_Row], bounds: list[_Row], said: str, word: str, domain: list[float] | None
) -> None:
    if not rows:
        st.caption("There is nothing to plot: no case has a score.")
        return
    shown = rows[:INTERVAL_LIMIT]
    metrics = list(dict.fromkeys(row["metric"] for row in shown))
    names = list(dict.fromkeys(row["name"] for row in shown))
    bounds = [bound for bound in bounds if bound["metric"] in metrics]
    scale = {"domain": domain} if domain else {"zero": True, "nice": True}
    y = {"field": "metric", "type": "nominal", "sort": metrics, "title": None, "axis": {"labelLimit": 200}}
    lane = {"field": "name", "type": "nominal", "sort": names}
    color = _colour_scale("name", names, word)
    x = {"field": "estimate", "type": "quantitative", "title": axis, "scale": scale, "axis": {"tickCount": 10}}
    tooltip = [
        {"field": "metric", "title": "metric"},
        {"field": "name", "title": word},
        {"field": "estimate", "title": "estimate", "format": ".3f"},
        {"field": "low", "title": "lower bound", "format": ".3f"},
        {"field": "high", "title": "upper bound", "format": ".3f"},
        {"field": "cases", "title": "cases"},
    ]
    intervals = {"filter": "datum.kind == 'interval'"}
    layers: list[dict[str, Any]] = [
        {
            "transform": [intervals],
            "mark": {"type": "rule", "size": 3, "strokeCap": "round"},
            "encoding": {
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "y": y,
                "yOffset": lane,
                "color": color,
                "tooltip": tooltip,
            },
        },
        {
            "transform": [intervals],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": x, "y": y, "yOffset": lane, "color": color, "tooltip": tooltip},
        },
    ]
    if domain is None:
        nothing = {"mark": {"type": "rule", "color": ZERO_COLOUR}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}}
        layers.insert(0, nothing)
    if bounds:
        layers.append(
            {
                "transform": [{"filter": "datum.kind == 'bound'"}],
                "mark": {"type": "tick", "color": BOUND_COLOUR, "thickness": 2.5, "size": len(names) * LANE_HEIGHT + 8},
                "encoding": {
                    "x": x,
                    "y": y,
                    "tooltip": [
                        {"field": "metric", "title": "metric"},
                        {"field": "estimate", "title": said, "format": ".3f"},
                    ],
                },
            }
        )
    spec = {"title": title, "height": {"step": len(names) * LANE_HEIGHT + 12, "for": "position"}, "layer": layers}
    told = "; ".join(f"{row['metric']} of {row['name']}: {format_score(row['estimate'])}" for row in shown)
    _show_plot([*shown, *bounds], spec, f"{title}. {told}.")
    if bounds:
        st.caption(f":red[▎] {said[0].upper()}{said[1:]}.")
    if len(rows) > INTERVAL_LIMIT:
        st.caption(f"The first {INTERVAL_LIMIT} of {len(rows)} are plotted; the table has all.")


def _show_plot(rows: Sequence[_Row], spec: dict[str, Any], told: str) -> None:
    """Draw, with the figures in words for those who do not see the plot."""
    st.vega_lite_chart(list(rows), spec, width="stretch", alt=told[:2000])
