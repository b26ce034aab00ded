"""Prompts searched for by the command line, and what is told when one is pushed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cli.conftest import Run
from factories.word_embedder import WordEmbedder
from promptuary.cli import context as context_commands
from promptuary.embedding import backend
from promptuary.search import prompt_vectors

Write = Callable[[str, str], Path]
Served = Callable[[str], Mapping[str, str]]
TRIAGE = "Sort the support ticket into one intent."
REFUND = "Answer customers who ask for their money back."


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder that needs no model."""
    monkeypatch.setattr(backend, "build_embedder", lambda _: WordEmbedder())


@pytest.fixture
def push(run: Run, write: Write) -> Callable[..., str]:
    """Push a text under a name, and give what was said on standard error."""

    def pushed(name: str, template: str, *words: str, labels: tuple[str, ...] = ()) -> str:
        path = write(f"prompts/{name}.yaml", json.dumps({"type": "text", "template": template, "labels": labels}))
        told = run("push", path, *words)
        assert told.code == 0, told.err
        assert told.out.startswith(f"{name}  version ")
        return told.err

    return pushed


def test_prompts_are_found_by_a_text(run: Run, push: Callable[..., str]) -> None:
    push("triage", TRIAGE, labels=("production", "staging"))
    push("refund", REFUND)
    found = run("search", "sort a support ticket", "--json").json
    assert [one["name"] for one in found["items"]] == ["triage", "refund"]
    assert found["behind"] == 0
    lines = run("search", "sort a support ticket", "-k", 1).out.splitlines()
    assert lines[0] == "score\tprompt\tversion\tlabels\ttext"
    assert lines[1].split("\t")[1:] == ["triage", "1", "production staging", TRIAGE]
    assert len(lines) == 2
    assert len(run("search", "sort a support ticket", "--min-score", 0.99).out.splitlines()) == 1


def test_prompts_like_one_are_found(run: Run, push: Callable[..., str]) -> None:
    push("triage", TRIAGE, labels=("production",))
    push("triage", REFUND)
    push("sort", f"{TRIAGE} Now.")
    push("money", f"{REFUND} Now.")
    assert run("similar", "triage", "-k", 1).out.splitlines()[1].split("\t")[1] == "money"
    by_label = run("similar", "triage", "-k", 1, "--label", "production", "--json").json
    assert by_label == run("similar", "triage", "-k", 1, "--version", 1, "--json").json
    assert by_label["items"][0]["name"] == "sort"
    told = run("similar", "none")
    assert (told.code, "there is no prompt 'none'" in told.fault) == (64, True)


@pytest.mark.parametrize(
    ("words", "said"), [(["  "], "q"), (["x", "-k", "0"], "limit"), (["x", "--min-score", "2"], "min_score")]
)
def test_a_search_that_is_wrong_is_refused(run: Run, words: list[str], said: str) -> None:
    told = run("search", *words)
    assert (told.code, said in told.fault) == (64, True)


def test_a_push_on_the_data_directory_loads_no_model_unless_told_to(
    push: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    push("triage", f"{TRIAGE} {{{{ticket}}}}")
    near = push("sort", f"{TRIAGE} {{{{text}}}}", "--similar")
    assert near.startswith("warning: version 1 of 'triage' has nearly the same text (cosine 0.")

    def never(_: object) -> WordEmbedder:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(backend, "build_embedder", never)
    assert push("order", f"{TRIAGE} {{{{text}}}} Now.") == ""
    same = push("again", f"{TRIAGE} {{{{ticket}}}}")
    assert same == "warning: version 1 of 'triage' has the same content; one prompt may do\n"


def test_a_push_to_a_server_tells_of_similar_prompts_unless_told_not_to(served: Served, push: Callable[..., str]) -> None:
    served("author")
    push("triage", f"{TRIAGE} {{{{ticket}}}}")
    assert "'triage' has nearly the same text" in push("sort", f"{TRIAGE} {{{{text}}}}")
    assert push("order", f"{TRIAGE} {{{{words}}}}", "--no-similar") == ""
    assert push("refund", REFUND) == ""


def test_the_warnings_are_in_the_json_too(run: Run, write: Write, push: Callable[..., str]) -> None:
    push("triage", TRIAGE)
    path = write("prompts/sort.yaml", json.dumps({"type": "text", "template": TRIAGE}))
    told = run("push", path, "--json")
    assert [one["code"] for one in told.json["warnings"]] == ["same_content"]
    assert told.err.startswith("warning: ")


def test_prompts_that_are_behind_are_told_and_indexed_by_command(
    run: Run, push: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "MAX_ROUNDS", 2)
    for number in range(6):
        push(f"p{number}", f"{TRIAGE} {number}")
    told = run("search", "ticket")
    assert (told.code, len(told.out.splitlines())) == (0, 2)
    assert told.err == "5 prompts are not indexed yet: promptuary context reindex --prompts\n"
    indexed = run("context", "reindex", "--prompts")
    assert (indexed.out, indexed.err) == ("6 prompts in the index\n", "")
    assert run("search", "ticket", "--json").json["behind"] == 0
    assert run("context", "reindex", "--prompts", "--json").json == {"prompts": 6, "behind": 0}


def test_a_reindex_that_gets_nowhere_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"prompts": 1, "behind": 5}, {"prompts": 3, "behind": 3}, {"prompts": 3, "behind": 3}]

    class Stuck:
        def post(self, path: str, body: object) -> object:
            return answers.pop(0)

    assert context_commands._reindex_prompts(Stuck()) == {"prompts": 3, "behind": 3}  # type: ignore[arg-type]  # has what is used
    assert answers == []


@pytest.mark.parametrize("words", [[], ["support", "--prompts"]])
def test_reindex_wants_a_collection_or_the_prompts(run: Run, words: list[str]) -> None:
    told = run("context", "reindex", *words)
    assert (told.code, "name a collection, or pass --prompts" in told.fault) == (64, True)
