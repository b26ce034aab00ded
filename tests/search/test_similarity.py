"""The check for prompts of nearly the same text as a newly registered version."""

from typing import Any

import pytest

from factories.prompt_search import REFUND, REVIEW, TRIAGE, PromptCorpus
from promptuary.search import prompt_vectors


def test_the_check_names_similar_prompts_but_not_the_prompt_itself(corpus: PromptCorpus) -> None:
    corpus.register(triage=f"{TRIAGE} {{{{ticket}}}}", review=REVIEW)
    assert corpus.warned_names("sort", f"{TRIAGE} {{{{text}}}}") == [("similar_prompt", "triage")]
    assert corpus.warned_names("triage", f"{TRIAGE} {{{{text}}}}") == []
    assert corpus.warned_names("sort", REFUND) == []
    (warning,) = corpus.warnings("sort", TRIAGE)
    assert warning.version == 1
    assert warning.score is not None
    assert corpus.settings.similar_threshold <= warning.score < 1
    assert f"(cosine {warning.score:.2f})" in warning.detail


def test_a_prompt_without_text_of_its_own_is_similar_to_no_other(corpus: PromptCorpus) -> None:
    corpus.register(word="{{text}}", triage=TRIAGE)
    assert corpus.warned_names("echo", "{{text}}") == []
    assert sorted(corpus.embedder.texts) == [f"triage. {TRIAGE}", "word. text"]


def test_the_similarity_threshold_is_a_setting(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    template = f"{TRIAGE} or two, and say why"
    assert corpus.warned_names("sort", template) == [("similar_prompt", "triage")]
    strict = PromptCorpus(
        corpus.database,
        corpus.clock,
        corpus.settings.model_copy(update={"similar_threshold": 0.99}),
        corpus.unit_as,
        corpus.embedder,
        corpus.index,
    )
    assert strict.warned_names("sort", template) == []


def test_prompts_that_share_only_a_long_beginning_are_not_similar(corpus: PromptCorpus) -> None:
    house = "We are Harbour Card, a bank with no branches. Be polite and never promise what we do not do. Write plain English. "
    corpus.register(triage=house + TRIAGE)
    assert corpus.matching_names(house + REVIEW, min_score=0.8) == ["triage"]
    assert corpus.warned_names("review", house + REVIEW) == []
    assert corpus.warned_names("sort", house + TRIAGE + " and no other") == [("similar_prompt", "triage")]


def test_the_check_reports_how_many_prompts_were_not_compared(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    corpus.register(a=TRIAGE, b=REFUND)
    similar, unchecked = corpus.warnings("c", REFUND)
    assert (similar.code, unchecked.code) == ("similar_prompt", "similar_unchecked")
    assert unchecked.detail.startswith("1 prompts are not indexed yet")


def test_the_check_neither_embeds_nor_counts_the_prompt_itself(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    assert corpus.warnings("triage", TRIAGE) == []
    assert corpus.embedder.texts == [TRIAGE]
    assert corpus.pending() == 1


def test_an_unexpected_error_in_the_check_becomes_a_warning(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def divide_by_zero(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(corpus.embedder, "embed", divide_by_zero)
    assert corpus.warned_names("sort", TRIAGE) == [("similar_unchecked", None)]
