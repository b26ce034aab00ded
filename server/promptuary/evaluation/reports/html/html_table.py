"""Tables of the HTML report. A table that is too wide for the screen scrolls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from promptuary.evaluation.reports.formatting import truncate
from promptuary.prompt.text import show_hidden


@dataclass(frozen=True)
class Cell:
    """A cell of a table; its kind is a CSS class, `text` for a long text, or `n` for a figure."""

    text: str
    kind: str = "n"


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, cards: bool = False) -> str:
    """Return a table; plain texts are names. With `cards`, each row is a card on a phone, its cells named by the heads."""
    body = [[cell if isinstance(cell, Cell) else Cell(cell, "") for cell in row] for row in rows]
    kinds = ["n" if cell.kind == "n" else "" for cell in body[0]] if body else [""] * len(heads)
    head = "".join(f'<th scope="col"{_kind(kind)}>{escape(name)}</th>' for name, kind in zip(heads, kinds, strict=True))
    lines = ["<tr>" + "".join(_cell(name, cell) for name, cell in zip(heads, row, strict=True)) + "</tr>" for row in body]
    kind = ' class="cards"' if cards else ""
    return f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _cell(head: str, cell: Cell) -> str:
    text = escape(show_hidden(truncate(cell.text, 1000)))
    inner = f'<div class="text">{text}</div>' if cell.kind == "text" else f"<bdi>{text}</bdi>"
    return f'<td{_kind(cell.kind)} data-label="{escape(head)}">{inner}</td>'


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind and kind != "text" else ""
