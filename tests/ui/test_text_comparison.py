"""Texts compared word by word: nothing is lost, nothing becomes Markdown, and texts that are too long are not compared."""

import pytest

from promptuary_ui.components import text_comparison


def joined(pieces: list[tuple[str, bool]]) -> str:
    return "".join(text for text, _ in pieces)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("a", ""),
        ("one two", "one  three"),
        ("a\n\nb", "a\nb\n"),
        ("über x", "uber x"),
        ("  in", "\tin"),
        ("a-b", "a b"),
    ],
)
def test_both_texts_are_whole_again_from_their_pieces(before: str, after: str) -> None:
    pieces = text_comparison.compare_words(before, after)
    assert pieces is not None
    assert (joined(pieces[0]), joined(pieces[1])) == (before, after)


def test_only_what_the_other_has_not_got_is_marked() -> None:
    pieces = text_comparison.compare_words("The card is lost.", "The card is found.")
    assert pieces is not None
    assert [text for text, marked in pieces[0] if marked] == ["lost"]
    assert [text for text, marked in pieces[1] if marked] == ["found"]


def test_words_that_changed_together_are_marked_together() -> None:
    pieces = text_comparison.compare_words("it is a lost card", "it was the found card")
    assert pieces == (
        [("it ", False), ("is a lost", True), (" card", False)],
        [("it ", False), ("was the found", True), (" card", False)],
    )


def test_a_text_of_very_many_words_is_not_compared_by_words() -> None:
    assert text_comparison.compare_words("a " * text_comparison.WORD_LIMIT, "b") is None


def test_lines_and_blanks_are_kept_and_markdown_is_escaped() -> None:
    markdown = text_comparison.to_markdown([("  a *b*\n", False), ("# c]", True), ("\n\nd", False)], "red")
    assert markdown == "\u00a0\u00a0a \\*b\\*  \n:red-background[\\# c\\]]  \n\u00a0  \nd"


def test_a_line_break_that_only_one_has_is_seen() -> None:
    assert text_comparison.to_markdown([("a", False), ("\n", True), ("b", False)], "green") == "a:green-background[↵]  \nb"


def test_what_is_not_seen_is_written_out() -> None:
    assert text_comparison.to_markdown([("a\u200bb", True)], "red") == ":red-background[a\\\\u200bb]"
