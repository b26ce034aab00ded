"""The conversations of a run in the HTML report: each turn with its messages, its verdict, its time, tokens and cost."""

from collections.abc import Iterable, Iterator
from html import escape

from promptuary.evaluation.conversations.transcript import transcript
from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.formatting import truncate
from promptuary.evaluation.reports.html.html_table import Cell, html_table
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_turn import ReportedTurn
from promptuary.prompt.text import show_hidden

CONVERSATIONS_LIMIT = 30
_HEADS = ("Turn", "Verdict", "Why", "Messages", "Time", "Tokens in", "Tokens out", "Cost")


def conversations_section(results: Iterable[ReportedResult]) -> Iterator[str]:
    """Yield a section with each conversation, folded; nothing where there is none."""
    conversations = [result for result in results if result.turns]
    if not conversations:
        return
    yield "<section><h2>Conversations</h2>"
    if len(conversations) > CONVERSATIONS_LIMIT:
        yield f'<p class="soft">The first {CONVERSATIONS_LIMIT} of {len(conversations):,}; the JSON report has every one.</p>'
    for result in conversations[:CONVERSATIONS_LIMIT]:
        title = f"{result.case} · {result.variant}" + (f" #{result.repeat + 1}" if result.repeat else "")
        verdict = "pass" if result.passed else "error" if result.passed is None else "fail"
        yield f"<details><summary><bdi>{escape(show_hidden(truncate(title, 500)))}</bdi>: {verdict}</summary>"
        yield html_table(_HEADS, [_turn_row(number, turn) for number, turn in enumerate(result.turns, 1)], cards=True)
        if result.error is not None:
            yield f'<p class="soft">{escape(show_hidden(truncate(result.error, 1000)))}</p>'
        yield "</details>"
    yield "</section>"


def _turn_row(number: int, turn: ReportedTurn) -> list[str | Cell]:
    verdict = "–" if turn.passed is None else "pass" if turn.passed else "fail"
    return [
        str(number),
        Cell(verdict, verdict if turn.passed is not None else "n"),
        Cell("\n".join(turn.reasons), "text"),
        Cell(transcript(turn.messages), "text"),
        Cell(formatting.format_duration(turn.latency_ms)),
        Cell("" if turn.tokens_input is None else f"{turn.tokens_input:,}"),
        Cell("" if turn.tokens_output is None else f"{turn.tokens_output:,}"),
        Cell(formatting.format_money(turn.cost)),
    ]
