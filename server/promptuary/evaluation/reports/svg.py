"""Plots as SVG, by no library: positions across are shares of the width, so that they fit a phone and a sheet of paper alike.

Colours come from the page's style sheet. Every plot has a title and a description for those who do not see it; the figures
stand in a table beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Self

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.findings import BINS
from promptuary.evaluation.reports.formatting import format_number
from promptuary.prompt.text import show_hidden

LABEL_LIMIT = 48
_ROW = 52
_BAR = 64


@dataclass(frozen=True)
class IntervalRow:
    """A row of a forest: an estimate between two bounds, and the line that it is held against."""

    label: str
    told: str
    estimate: float
    low: float
    high: float
    mark: float | None
    role: str

    @classmethod
    def of(
        cls, label: str, interval: Mapping[str, Any], mark: float | None, role: str = "candidate", *, signed: bool = False
    ) -> Self:
        """Make it from an interval."""
        estimate, low, high = (interval[end] for end in ("estimate", "low", "high"))
        return cls(label, formatting.format_interval(interval, signed=signed), estimate, low, high, mark, role)


@dataclass(frozen=True)
class DotRow:
    """A row of dots: a label, and a value for each kind of dot."""

    label: str
    values: Mapping[str, float]


def forest_plot(key: str, title: str, description: str, rows: Sequence[IntervalRow], *, centred: bool = False) -> str:
    """Draw intervals below each other.

    Args:
        key: unique among the page's plots.
        title: in a few words.
        description: what is to be seen.
        rows: from the top.
        centred: differences around zero, as wide as they need; else from 0 to 1.
    """
    reach = max((abs(end) for row in rows for end in (row.low, row.high, row.mark or 0.0)), default=0.0)
    reach = min(1.0, max(0.05, reach * 1.1))
    low, high = (-reach, reach) if centred else (0.0, 1.0)

    def draw() -> Iterator[str]:
        for place, row in enumerate(rows):
            top = place * _ROW
            y = top + 38
            yield _label(row.label, top + 14)
            yield f'<text class="note" x="0" y="{top + 28}">{escape(row.told)}</text>'
            yield f'<line class="rail" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
            if centred:
                yield f'<line class="zero" x1="50%" x2="50%" y1="{y - 7}" y2="{y + 7}"/>'
            if row.mark is not None:
                at = _share(row.mark, low, high)
                yield f'<line class="mark" x1="{at}" x2="{at}" y1="{y - 6}" y2="{y + 9}"/>'
            left, right = _share(row.low, low, high), _share(row.high, low, high)
            yield f'<line class="span {row.role}" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
            yield f'<circle class="{row.role}" cx="{_share(row.estimate, low, high)}" cy="{y}" r="5"/>'
        yield from _axis(low, high, len(rows) * _ROW + 14, signed=centred)

    return _figure(key, title, description, len(rows) * _ROW + 20, draw())


def histogram_plot(key: str, title: str, description: str, bins: Sequence[tuple[str, str, Sequence[int]]]) -> str:
    """Draw how many cases there are in each part of [0, 1]: a row of bars for each label, role and counts."""
    height = _BAR + 36
    most = max((count for _, _, counts in bins for count in counts), default=1) or 1

    def draw() -> Iterator[str]:
        for place, (label, role, counts) in enumerate(bins):
            top = place * height
            floor = top + height - 8
            yield _label(f"{label} ({sum(counts):,} cases)", top + 14)
            yield f'<line class="rail" x1="0" x2="100%" y1="{floor}" y2="{floor}"/>'
            for part, count in enumerate(counts):
                if count:
                    tall = max(2.0, _BAR * count / most)
                    x, wide = 100 * part / BINS, 100 / BINS - 0.6
                    bar = f'x="{x + 0.3:.2f}%" y="{floor - tall:.1f}" width="{wide:.2f}%" height="{tall:.1f}"'
                    ends = f"{part / BINS:.2f} to {(part + 1) / BINS:.2f}"
                    yield f'<rect class="{role}" {bar}><title>{ends}: {count:,}</title></rect>'
        yield from _axis(0.0, 1.0, len(bins) * height + 12)

    return _figure(key, title, description, len(bins) * height + 18, draw())


def dot_plot(key: str, title: str, description: str, rows: Sequence[DotRow], roles: Mapping[str, str]) -> str:
    """Draw a row of dots from 0 to 1 for each label; `roles` says of what role each kind of dot is."""
    height = 40

    def draw() -> Iterator[str]:
        for place, row in enumerate(rows):
            top = place * height
            y = top + 26
            yield _label(row.label, top + 14)
            yield f'<line class="rail" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
            for kind in sorted(row.values, key=lambda name: roles[name] == "candidate"):
                at, radius = _share(row.values[kind], 0.0, 1.0), 5 if roles[kind] == "candidate" else 7
                told = escape(f"{show_hidden(kind)}: {format_number(row.values[kind])}")
                yield f'<circle class="{roles[kind]}" cx="{at}" cy="{y}" r="{radius}"><title>{told}</title></circle>'
        yield from _axis(0.0, 1.0, len(rows) * height + 12)

    return _figure(key, title, description, len(rows) * height + 18, draw())


def _figure(key: str, title: str, description: str, height: int, parts: Iterator[str]) -> str:
    # Half a dot and half a figure of the axis stand over the edges; the style sheet lets them be seen.
    named = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
    head = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" width="100%" height="{height}">'
    return f"{head}{named}{''.join(parts)}</svg>"


def _label(text: str, y: int) -> str:
    short = text if len(text) <= LABEL_LIMIT else text[: LABEL_LIMIT - 1] + "…"
    return f'<text class="label" x="0" y="{y}">{escape(show_hidden(short))}</text>'


def _axis(low: float, high: float, y: int, *, signed: bool = False) -> Iterator[str]:
    for share, anchor in ((0, "start"), (50, "middle"), (100, "end")):
        value = low + (high - low) * share / 100
        told = format_number(value, signed=signed and value != 0).replace(".000", "").replace(".500", ".5")
        yield f'<text class="axis" x="{share}%" y="{y}" text-anchor="{anchor}">{told}</text>'


def _share(value: float, low: float, high: float) -> str:
    """Give a place across, kept within the plot."""
    return f"{min(100.0, max(0.0, 100 * (value - low) / (high - low))):.2f}%"
