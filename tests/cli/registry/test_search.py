"""Prompts searched by the command line, and the warnings when a prompt is pushed."""

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
def _word_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder that needs no model."""
    monkeypatch.setattr(backend, "build_embedder", lambda _: WordEmbedder())


@pytest.fixture
def push(run: Run, write: Write) -> Callable[..., str]:
    """Push a text under a name; return the output on standard error."""

    def push_text(name: str, template: str, *arguments: str, labels: tuple[str, ...] = ()) -> str:
        path = write(f"prompts/{name}.yaml", json.dumps({"type": "text", "template": template, "labels": labels}))
        result = run("push", path, *arguments)
        assert result.code == 0, result.err
        assert result.out.startswith(f"{name}  version ")
        return result.err

    return push_text


def test_prompts_are_found_by_a_text(run: Run, push: Callable[..., str]) -> None:
    push("triage", TRIAGE, labels=("production", "staging"))
    push("refund", REFUND)
    response = run("search", "sort a support ticket", "--json").json
    assert [prompt["name"] for prompt in response["items"]] == ["triage", "refund"]
    assert response["behind"] == 0
    lines = run("search", "sort a support ticket", "-k", 1).out.splitlines()
    assert lines[0] == "score\tprompt\tversion\tlabels\ttext"
    assert lines[1].split("\t")[1:] == ["triage", "1", "production staging", TRIAGE]
    assert len(lines) == 2
    assert len(run("search", "sort a support ticket", "--min-score", 0.99).out.splitlines()) == 1


def test_prompts_similar_to_a_prompt_are_found(run: Run, push: Callable[..., str]) -> None:
    push("triage", TRIAGE, labels=("production",))
    push("triage", REFUND)
    push("sort", f"{TRIAGE} Now.")
    push("money", f"{REFUND} Now.")
    assert run("similar", "triage", "-k", 1).out.splitlines()[1].split("\t")[1] == "money"
    by_label = run("similar", "triage", "-k", 1, "--label", "production", "--json").json
    assert by_label == run("similar", "triage", "-k", 1, "--version", 1, "--json").json
    assert by_label["items"][0]["name"] == "sort"
    result = run("similar", "none")
    assert (result.code, "there is no prompt 'none'" in result.error_line) == (64, True)


@pytest.mark.parametrize(
    ("arguments", "message"), [(["  "], "q"), (["x", "-k", "0"], "limit"), (["x", "--min-score", "2"], "min_score")]
)
def test_an_invalid_search_is_refused(run: Run, arguments: list[str], message: str) -> None:
    result = run("search", *arguments)
    assert (result.code, message in result.error_line) == (64, True)


def test_a_push_on_the_data_directory_loads_no_model_without_the_option(
    push: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    push("triage", f"{TRIAGE} {{{{ticket}}}}")
    similar = push("sort", f"{TRIAGE} {{{{text}}}}", "--similar")
    assert similar.startswith("warning: version 1 of 'triage' has nearly the same text (cosine 0.")

    def refuse_to_load(_: object) -> WordEmbedder:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(backend, "build_embedder", refuse_to_load)
    assert push("order", f"{TRIAGE} {{{{text}}}} Now.") == ""
    identical = push("again", f"{TRIAGE} {{{{ticket}}}}")
    assert identical == "warning: version 1 of 'triage' has the same content; one prompt may do\n"


def test_a_push_to_a_server_warns_of_similar_prompts_by_default(served: Served, push: Callable[..., str]) -> None:
    served("author")
    push("triage", f"{TRIAGE} {{{{ticket}}}}")
    assert "'triage' has nearly the same text" in push("sort", f"{TRIAGE} {{{{text}}}}")
    assert push("order", f"{TRIAGE} {{{{words}}}}", "--no-similar") == ""
    assert push("refund", REFUND) == ""


def test_the_warnings_are_in_the_json_too(run: Run, write: Write, push: Callable[..., str]) -> None:
    push("triage", TRIAGE)
    path = write("prompts/sort.yaml", json.dumps({"type": "text", "template": TRIAGE}))
    result = run("push", path, "--json")
    assert [warning["code"] for warning in result.json["warnings"]] == ["same_content"]
    assert result.err.startswith("warning: ")


def test_prompts_behind_the_index_are_counted_and_indexed_by_command(
    run: Run, push: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "MAX_ROUNDS", 2)
    for number in range(6):
        push(f"p{number}", f"{TRIAGE} {number}")
    result = run("search", "ticket")
    assert (result.code, len(result.out.splitlines())) == (0, 2)
    assert result.err == "5 prompts are not indexed yet: promptuary context reindex --prompts\n"
    indexed = run("context", "reindex", "--prompts")
    assert (indexed.out, indexed.err) == ("6 prompts in the index\n", "")
    assert run("search", "ticket", "--json").json["behind"] == 0
    assert run("context", "reindex", "--prompts", "--json").json == {"prompts": 6, "behind": 0}


def test_a_reindex_without_progress_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = [{"prompts": 1, "behind": 5}, {"prompts": 3, "behind": 3}, {"prompts": 3, "behind": 3}]

    class StuckApi:
        def post(self, path: str, body: object) -> object:
            return responses.pop(0)

    assert context_commands._reindex_prompts(StuckApi()) == {"prompts": 3, "behind": 3}  # type: ignore[arg-type]  # has what is used
    assert responses == []


@pytest.mark.parametrize("arguments", [[], ["support", "--prompts"]])
def test_reindex_needs_a_collection_or_the_prompts(run: Run, arguments: list[str]) -> None:
    result = run("context", "reindex", *arguments)
    assert (result.code, "name a collection, or pass --prompts" in result.error_line) == (64, True)
