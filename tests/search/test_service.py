"""The search for prompts by a text and by another prompt, over both kinds of index."""

from typing import Any

import pytest

from factories.prompt_search import REFUND, REVIEW, TRIAGE, PromptCorpus
from factories.word_embedder import WordEmbedder
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.registry.service import Registry
from promptuary.search import nearest
from promptuary.search.prompt_vectors import IndexProgress


def test_a_search_returns_the_nearest_prompt_first(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND, review=REVIEW)
    assert corpus.matching_names("the bugs of this diff")[0] == "review"
    assert corpus.matching_names("customers who want their money back", k=1) == ["refund"]
    assert set(corpus.matching_names("ticket")) == {"triage", "refund", "review"}
    assert corpus.matching_names(TRIAGE, min_score=0.9) == ["triage"]


def test_equally_near_prompts_are_ordered_by_name(corpus: PromptCorpus) -> None:
    corpus.register(**{f"b.{name}": TRIAGE for name in ("beta", "alpha")})
    corpus.embedder.embed = lambda texts: WordEmbedder().embed([TRIAGE for _ in texts])  # type: ignore[method-assign]
    assert corpus.matching_names(TRIAGE) == ["b.alpha", "b.beta"]


def test_a_match_has_version_score_labels_and_snippet(corpus: PromptCorpus) -> None:
    corpus.register(triage="one")
    corpus.register(triage=f"Be kind. {TRIAGE}. Never guess.", labels=["staging", "production"])
    (match,) = corpus.matches(f"Be kind. {TRIAGE}. Never guess.").items
    assert (match.name, match.version, match.labels) == ("triage", 2, ("production", "staging"))
    assert 0.9 < match.score < 1  # its name was embedded with it
    assert corpus.matches("which intent has a ticket", 5).items[0].snippet == f"{TRIAGE}."


def test_a_search_finds_the_newest_version_of_a_prompt(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    assert corpus.matching_names(TRIAGE, min_score=0.9) == ["triage"]
    corpus.register(triage=REVIEW)
    assert corpus.matching_names(TRIAGE, min_score=0.9) == []
    assert corpus.matching_names(REVIEW, min_score=0.9) == ["triage"]


def test_similar_prompts_are_those_near_the_newest_or_selected_version(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, labels=["production"])
    corpus.register(triage=REVIEW)
    corpus.register(sort=f"{TRIAGE} please", diff=f"{REVIEW} please")
    assert corpus.similar_names("triage", k=1) == corpus.similar_names("triage", k=1, version=2) == ["diff"]
    assert corpus.similar_names("triage", k=1, label="production") == corpus.similar_names("triage", k=1, version=1) == ["sort"]
    assert set(corpus.similar_names("triage")) == {"sort", "diff"}
    assert corpus.similar("triage", min_score=0.999).items == []


@pytest.mark.parametrize(
    ("name", "selector", "error"),
    [
        ("none", {}, NotFound),
        ("triage", {"version": 2}, NotFound),
        ("triage", {"label": "production"}, NotFound),
        ("triage", {"label": "production", "version": 1}, InvalidRequest),
    ],
)
def test_similar_prompts_of_an_unknown_version_are_an_error(corpus: PromptCorpus, name: str, selector: Any, error: Any) -> None:
    corpus.register(triage=TRIAGE)
    with pytest.raises(error):
        corpus.similar_names(name, **selector)


def test_a_search_never_returns_prompts_of_another_project(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    corpus.register("shop", sort=TRIAGE, order=f"{TRIAGE} of an order")
    for _ in range(2):  # while the vectors are computed, and after
        assert corpus.matching_names(TRIAGE) == ["triage"]
        assert corpus.similar_names("triage") == []
        assert corpus.warned_names("new", TRIAGE) == [("similar_prompt", "triage")]
        assert set(corpus.matching_names(TRIAGE, "shop")) == {"sort", "order"}
    with pytest.raises(NotFound):
        corpus.similar_names("sort")


def test_a_search_leaves_out_archived_prompts_until_they_are_restored(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, sort=f"{TRIAGE} please")
    assert set(corpus.matching_names(TRIAGE)) == {"triage", "sort"}
    with corpus.unit_as("author") as unit:
        Registry(unit).archive("sort", "no longer needed")
    assert corpus.matching_names(TRIAGE) == ["triage"]
    assert corpus.similar_names("triage") == []
    assert corpus.warned_names("new", TRIAGE) == [("similar_prompt", "triage")]
    assert corpus.similar_names("sort", version=1)[0] == "triage"
    with corpus.unit_as("author") as unit:
        Registry(unit).restore("sort", "needed after all")
    assert set(corpus.matching_names(TRIAGE)) == {"triage", "sort"}


def test_an_archived_prompt_is_neither_embedded_nor_pending(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    with corpus.unit_as("author") as unit:
        Registry(unit).archive("triage", "")
    corpus.vectors.deliver({"project": 1, "prompt": corpus.id_of("triage")})
    assert (corpus.pending(), corpus.embedder.texts) == (0, [])
    with corpus.unit_as("author") as unit:
        Registry(unit).restore("triage", "")
    assert corpus.pending() == 1
    assert corpus.matching_names(TRIAGE) == ["triage"]


def test_a_search_finds_active_prompts_behind_many_archived_ones(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "EXTRA_HITS", 1)
    corpus.register(**{f"old{number}": f"{TRIAGE} {number}" for number in range(12)})
    corpus.register(refund=REFUND, review=REVIEW)
    assert corpus.matching_names(TRIAGE, k=2)[0].startswith("old")
    with corpus.unit_as("author") as unit:
        for number in range(12):
            Registry(unit).archive(f"old{number}", "")
    assert set(corpus.matching_names(TRIAGE, k=2)) == {"refund", "review"}
    assert corpus.matching_names(TRIAGE, k=2, min_score=0.99) == []


def test_a_search_in_an_empty_project_returns_nothing(corpus: PromptCorpus) -> None:
    matches = corpus.matches(TRIAGE)
    assert (list(matches.items), matches.behind) == ([], 0)
    assert corpus.vectors.reindex(1, rebuild=True) == IndexProgress(0, 0)
