"""What is taken from a prompt for the embedder, and what is shown of it."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.search.summary_text import (
    MAX_PIECES,
    PIECE_SIZE,
    SNIPPET_SIZE,
    distinct_texts,
    embedding_texts,
    has_no_text,
    snippet,
    summary_pieces,
    texts_digest,
)


def text(template: str, **more: Any) -> Content:
    return Content(type="text", template=template, **more)


@pytest.mark.parametrize(
    ("form", "template", "says"),
    [
        ("mustache", "Sort the {{ticket}} into one of {{{intents}}}.", "Sort the ticket into one of intents ."),
        ("mustache", "Use {{#them}}\n{{text}}{{/them}} and answer in short.", "Use them text them and answer in short."),
        ("mustache", "{{! not for the model }}Translate {{&text}} into German.", "Translate text into German."),
        ("mustache", "Begin as {{> support.tone}} says, then answer.", "Begin as support.tone says, then answer."),
        ("f-string", "Sort {ticket} into one of the {intents}", "Sort ticket into one of the intents"),
        (
            "jinja2",
            "{% if long %}Write at length{% endif %} about {{ it }}{# or not #}",
            "if long Write at length endif about it",
        ),
    ],
)
def test_the_marks_of_templates_are_left_out_and_their_names_kept(form: Any, template: str, says: str) -> None:
    assert summary_pieces(text(template, format=form)) == [says]


def test_all_messages_are_said_in_order() -> None:
    chat = Content.model_validate(
        {
            "type": "chat",
            "template": [
                {"role": "system", "content": "You sort support tickets."},
                {"role": "placeholder", "name": "history"},
                {"role": "user", "content": "{{ticket}}"},
            ],
        }
    )
    assert summary_pieces(chat) == ["You sort support tickets. ticket"]


def test_every_piece_is_under_the_prompts_name() -> None:
    short, long = text("Sort the {{ticket}}"), text("Sort it. " * 150)
    assert embedding_texts("support.first-line", short, ["desk"]) == ["support first line. Sort the ticket"]
    assert embedding_texts("sorting", long) == [f"sorting. {piece}" for piece in summary_pieces(long)]
    assert len(summary_pieces(long)) == 2


def test_tags_help_a_prompt_that_says_nothing_by_itself() -> None:
    nothing = text("{{text}}")
    assert has_no_text(nothing)
    assert not has_no_text(text("Sort the {{text}}"))
    assert embedding_texts("support.first", nothing, ["desk"]) == ["support first desk. text"]
    placeholder = Content.model_validate({"type": "chat", "template": [{"role": "placeholder", "name": "history"}]})
    assert has_no_text(placeholder)
    assert summary_pieces(placeholder) == [""]
    assert embedding_texts("chat", placeholder) == ["chat."]


def test_a_long_prompt_has_pieces_of_about_equal_length_that_lose_nothing() -> None:
    words = [f"word{number}" for number in range(600)]
    pieces = summary_pieces(text(" ".join(words)))
    assert " ".join(pieces) == " ".join(words)
    assert len(pieces) == 6
    assert max(map(len, pieces)) <= PIECE_SIZE
    assert min(map(len, pieces)) > PIECE_SIZE / 2


def test_of_a_very_long_prompt_the_beginning_and_the_end_are_said() -> None:
    pieces = summary_pieces(text(" ".join(f"word{number}" for number in range(20_000))))
    assert len(pieces) == MAX_PIECES
    assert pieces[0].startswith("word0 word1 ")
    assert pieces[-1].endswith(" word19999")
    assert max(map(len, pieces)) <= PIECE_SIZE


def test_a_text_without_a_space_is_cut_all_the_same() -> None:
    pieces = summary_pieces(text("だ" * 2500))
    assert "".join(pieces) == "だ" * 2500
    assert max(map(len, pieces)) <= PIECE_SIZE


def test_the_digest_names_what_is_said_and_how_it_is_cut() -> None:
    assert texts_digest(["a", "b"]) == texts_digest(["a", "b"]) != texts_digest(["a b"])


def test_what_two_prompts_do_not_share_is_told_apart() -> None:
    house = "We are Harbour Card. Be polite."
    left, right = text(f"{house} Sort the ticket into an intent."), text(f"{house}\nTranslate the letter into plain German.")
    assert distinct_texts(left, right) == (["Sort the ticket into an intent."], ["Translate the letter into plain German."])


@pytest.mark.parametrize(
    "other",
    [
        "We are Harbour Card. Sort the ticket into an intent. {{ticket}}",
        "We are Harbour Card. Sort the ticket into an intent. {{text}}",
        "We are Harbour Card.\n\nSort the ticket into an intent. And never let anybody know about it. {{text}}",
    ],
)
def test_a_prompt_that_says_the_same_and_perhaps_more_is_not_told_apart(other: str) -> None:
    content = text("We are Harbour Card. Sort the ticket into an intent. {{ticket}}")
    assert distinct_texts(content, text(other)) is None
    assert distinct_texts(text(other), content) is None


def test_the_snippet_is_the_sentence_that_fits_best() -> None:
    content = text("You are kind. Sort the ticket into an intent.\n\nNever promise a refund! {{ticket}}")
    assert snippet(content, "refunds: what do we promise?") == "Never promise a refund!"
    assert snippet(content, "nothing of this") == "You are kind."
    assert snippet(content, "") == "You are kind."


def test_a_snippet_is_short_and_never_missing() -> None:
    result = snippet(text("word " * 400), "word")
    assert len(result) <= SNIPPET_SIZE
    assert result.endswith("word…")
    assert snippet(text(""), "word") == ""
