"""Plots as SVG, without a library: horizontal positions are percentages of the width, so that plots fit phones and paper.

Colours come from the page's style sheet. Every plot has a title and a description for screen readers; the figures stand in a
table beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Self

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.findings import BINS
from promptuary.evaluation.reports.formatting import format_number
from promptuary.evaluation.summary_model import IntervalFigures, VariantRole
from promptuary.prompt.text import show_hidden

LABEL_LIMIT = 48
_ROW = 52
_BAR = 64


@dataclass(frozen=True)
class IntervalRow:
    """A row of a forest plot: an estimate between two bounds, and the bound of the gate that it is compared with."""

    label: str
    note: str
    estimate: float
    low: float
    high: float
    mark: float | None
    role: VariantRole

    @classmethod
    def of(
        cls,
        label: str,
        interval: IntervalFigures,
        mark: float | None,
        role: VariantRole = VariantRole.CANDIDATE,
        *,
        signed: bool = False,
    ) -> Self:
        """Build it from an interval."""
        note = formatting.format_interval(interval, signed=signed)
        return cls(label, note, interval.estimate, interval.low, interval.high, mark, role)


@dataclass(frozen=True)
class DotRow:
    """A row of dots: a label, and a value by the name of each variant."""

    label: str
    values: Mapping[str, float]


def forest_plot(key: str, title: str, description: str, rows: Sequence[IntervalRow], *, centred: bool = False) -> str:
    """Draw intervals below each other.

    Args:
        key: unique among the page's plots.
        title: in a few words.
        description: what the plot shows.
        rows: from the top.
        centred: whether the axis is symmetric about zero and as wide as the values need; else it is from 0 to 1.
    """
    reach = max((abs(end) for row in rows for end in (row.low, row.high, row.mark or 0.0)), default=0.0)
    reach = min(1.0, max(0.05, reach * 1.1))
    low, high = (-reach, reach) if centred else (0.0, 1.0)

    def draw() -> Iterator[str]:
        for place, row in enumerate(rows):
            top = place * _ROW
            y = top + 38
            yield _label(row.label, top + 14)
            yield f'<text class="note" x="0" y="{top + 28}">{escape(row.note)}</text>'
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


def histogram_plot(key: str, title: str, description: str, bins: Sequence[tuple[str, VariantRole, Sequence[int]]]) -> str:
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


def dot_plot(key: str, title: str, description: str, rows: Sequence[DotRow], roles: Mapping[str, VariantRole]) -> str:
    """Draw a row of dots from 0 to 1 for each label; `roles` has each variant's role."""
    height = 40

    def draw() -> Iterator[str]:
        for place, row in enumerate(rows):
            top = place * height
            y = top + 26
            yield _label(row.label, top + 14)
            yield f'<line class="rail" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
            for name in sorted(row.values, key=lambda name: roles[name] is VariantRole.CANDIDATE):
                at, radius = _share(row.values[name], 0.0, 1.0), 5 if roles[name] is VariantRole.CANDIDATE else 7
                text = escape(f"{show_hidden(name)}: {format_number(row.values[name])}")
                yield f'<circle class="{roles[name]}" cx="{at}" cy="{y}" r="{radius}"><title>{text}</title></circle>'
        yield from _axis(0.0, 1.0, len(rows) * height + 12)

    return _figure(key, title, description, len(rows) * height + 18, draw())


def _figure(key: str, title: str, description: str, height: int, parts: Iterator[str]) -> str:
    # Half a dot and half a figure of the axis overlap the edges; the style sheet makes the overflow visible.
    named = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
    head = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" width="100%" height="{height}">'
    return f"{head}{named}{''.join(parts)}</svg>"


def _label(text: str, y: int) -> str:
    short = text if len(text) <= LABEL_LIMIT else text[: LABEL_LIMIT - 1] + "…"
    return f'<text class="label" x="0" y="{y}">{escape(show_hidden(short))}</text>'


def _axis(low: float, high: float, y: int, *, signed: bool = False) -> Iterator[str]:
    for share, anchor in ((0, "start"), (50, "middle"), (100, "end")):
        value = low + (high - low) * share / 100
        figure = format_number(value, signed=signed and value != 0).replace(".000", "").replace(".500", ".5")
        yield f'<text class="axis" x="{share}%" y="{y}" text-anchor="{anchor}">{figure}</text>'


def _share(value: float, low: float, high: float) -> str:
    """Return a horizontal position in percent of the width, limited to the plot."""
    return f"{min(100.0, max(0.0, 100 * (value - low) / (high - low))):.2f}%"
