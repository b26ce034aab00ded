"""The words of a prompt and of a query: what a person would call a word, in any script, and nothing of a query language."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.prompt_contents import contents
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.registry.text_search.words import WORD_LIMIT, prompt_words, query_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Refund the card!", ["refund", "the", "card"]),
        ("max_tokens", ["max", "tokens"]),
        ("maxTokens", ["maxtokens"]),
        ("Zürich Straße NAÏVE", ["zurich", "strasse", "naive"]),
        ("\ufb01ne \uff26ull", ["fine", "full"]),
        ("退款", ["退款"]),
        ("退", ["退"]),
        ("申请退款", ["申请", "请退", "退款"]),
        ("GPT模型", ["gpt", "模型"]),
        ("ガイド", ["ガイ", "イド"]),
        ("возврат", ["возврат"]),
        ("a AND b* \"c' NEAR(d) -e:f ^g {h} & !i | (j) <-> k\\", ["a", "and", "b", "c", "near", *"defghijk"]),
        ("?! {{}} \x00", []),
        ("x" * 100, ["x" * WORD_LIMIT]),
    ],
)
def test_a_query_is_cut_into_its_words(text: str, words: list[str]) -> None:
    assert query_words(text) == words


def test_a_prompt_has_the_words_of_all_that_a_person_reads_in_it() -> None:
    content = Content.model_validate(
        {
            "type": "chat",
            "template": [
                {"role": "system", "content": "Sort {{ticketText}}"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            ],
            "variables": {"ticketText": {"type": "string", "description": "customer", "default": "secret"}},
            "tools": [{"name": "lookup", "description": "finds orders", "parameters": {"type": "object"}}],
            "response_format": {"type": "object", "properties": {"intent": {"type": "string"}}},
            "config": {"owner": "mail"},
            "model": {"name": "openai:gpt-4o"},
        }
    )
    words = prompt_words("support.triage", content_json(content))
    for word in "support triage sort tickettext ticket text customer lookup finds orders intent owner mail gpt".split():
        assert word in words
    assert not {"aaaa", "base64", "png", "secret", "system"} & set(words)


@given(contents(), st.data())
def test_every_text_of_a_prompt_is_found_by_each_of_its_words(content: Content, data: st.DataObject) -> None:
    words = prompt_words("p", json.loads(json.dumps(content_json(content))))
    assert words == sorted(set(words))
    for text in content.texts():
        if "data:" not in text:
            assert all(any(word.startswith(part) for word in words) for part in query_words(text))
