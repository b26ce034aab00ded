"""The output of commands: tables on a terminal and plain lines elsewhere, JSON with `--json`, errors in one line.

Text for people shows hidden characters as escapes, because part of it comes from other people: no terminal obeys it. Output
for programs stays exact: JSON, and the content of a prompt in a pipe.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from promptuary.prompt.errors import PromptuaryError
from promptuary.prompt.text import show_hidden

EXIT_USAGE = 64
EXIT_INFRASTRUCTURE = 3
_INFRASTRUCTURE_CODES = ("unreachable", "unavailable", "busy", "storage_full")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Project = Annotated[str | None, typer.Option("--project", help="The project, when working on the data directory.")]


def print_line(text: str = "") -> None:
    """Print a text and a newline, with hidden characters escaped; newlines and tabs stay."""
    typer.echo(show_hidden(text))


def print_content(text: str) -> None:
    """Print a prompt's own text: with hidden characters escaped on a terminal, exactly as it is elsewhere."""
    terminal = sys.stdout.isatty()
    typer.echo(show_hidden(text) if terminal else text, color=not terminal)  # in colour: Click removes no escape sequence


def print_notice(text: str) -> None:
    """Print a line on standard error, with hidden characters escaped."""
    typer.echo(show_hidden(text, newlines=False), err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table with hidden characters escaped: aligned on a terminal, tab-separated lines elsewhere."""
    rows_as_text = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(columns), *rows_as_text]:
            print_line("\t".join(" ".join(cell.split()) for cell in row))
        return
    from rich.console import Console  # takes as long as reading the prompt, and only a terminal needs it
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for row in rows_as_text:
        drawn.add_row(*(Text(show_hidden(cell)) for cell in row))  # literal text: brackets in it are no markup
    Console().print(drawn)


def print_styled(text: str, style: str = "") -> None:
    """Print a line with control and invisible characters escaped; in colour on a terminal."""
    visible_text = show_hidden(text, newlines=False)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console().print(Text(visible_text, style), soft_wrap=True)
    else:
        print_line(visible_text)


def exit_code(error: PromptuaryError) -> int:
    """Return 3 where a service that is needed does not answer, 64 where the call or a file is wrong."""
    return EXIT_INFRASTRUCTURE if error.code in _INFRASTRUCTURE_CODES else EXIT_USAGE


def report_error(error: PromptuaryError) -> int:
    """Print an error in one line on standard error, with hidden characters escaped; return the exit code."""
    print_notice(f"promptuary: {str(error).replace(chr(10), ' ')}")
    return exit_code(error)
