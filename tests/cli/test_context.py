"""Documents added by the command line: refusals, and the whole path with the real embedding model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from factories.word_embedder import WordEmbedder
from promptuary.embedding import backend

Write = Callable[[str, str], Path]
GOOD = '{"id": "a", "text": "A refund takes five days."}'


@pytest.fixture
def word_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder that needs no model."""
    monkeypatch.setattr(backend, "build_embedder", lambda _: WordEmbedder())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", GOOD + "\nnonsense\n", "line 2: not JSON"),
        ("a.jsonl", GOOD + "\n[1]\n", "line 2: must be an object with `id` and `text`"),
        ("a.jsonl", GOOD + '\n{"id": "b"}\n', "line 2: text: is required, as a string"),
        ("a.jsonl", GOOD + '\n{"id": 7, "text": "b"}\n', "line 2: id: is required, as a string"),
        ("a.jsonl", GOOD + '\n{"id": "b", "text": "b", "colour": 1}\n', "line 2: colour: is not a known field"),
        ("a.jsonl", GOOD + '\n\n{"id": "b", "text": " "}\n', "line 3: text: is blank"),
        ("a.jsonl", GOOD + '\n{"id": "b", "text": "b", "metadata": {"n": NaN}}\n', "line 2: not JSON"),
        ("a.jsonl", GOOD + '\n{"id": "b", "text": "\\ud800"}\n', "line 2: not JSON"),
        ("a.jsonl", GOOD + "\n" + "[" * 100_000, "line 2: not JSON"),
        ("a.md", " \n", "is blank"),
        ("a.pdf", "%PDF", "is neither .md, .txt nor .jsonl"),
        ("a", "text", "is neither .md, .txt nor .jsonl"),
    ],
)
def test_an_unusable_document_is_named_and_none_is_added(run: Run, write: Write, name: str, text: str, message: str) -> None:
    good, bad = write("docs/good.md", "# Refunds\n\nA refund takes five days."), write(f"bad/{name}", text)
    result = run("context", "add", "support", good, bad)
    assert (result.code, result.out) == (64, "")
    assert str(bad) in result.error_line
    assert message in result.error_line
    assert run("context", "list", "--json").json == []


def test_a_path_without_a_document_is_refused(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("context", "add", "support", tmp_path / "none.md").error_line
    (tmp_path / "empty").mkdir()
    assert "contains no document" in run("context", "add", "support", tmp_path / "empty").error_line
    assert "paths" in run("context", "add", "support").error_line.lower()


@pytest.mark.usefixtures("word_embedder")
def test_two_documents_of_one_name_are_refused(run: Run, write: Write) -> None:
    first, second = write("a/x.md", "one"), write("b/x.txt", "two")
    result = run("context", "add", "support", first, second)
    assert (result.code, f"'x' occurs twice, in {first} and in {second}" in result.error_line) == (64, True)
    lines = [json.dumps({"id": str(number % 300), "text": "one"}) for number in range(301)]  # in two requests
    far_apart = run("context", "add", "support", write("far.jsonl", "\n".join(lines)))
    assert "'0' occurs twice" in far_apart.error_line
    assert run("context", "list", "--json").json == []


@pytest.mark.usefixtures("word_embedder")
@pytest.mark.parametrize("size", ["0", "9000"])
def test_a_chunk_size_beyond_the_limits_is_refused(run: Run, write: Write, size: str) -> None:
    result = run("context", "add", "support", write("x.md", "one"), "--chunk-size", size)
    assert (result.code, "chunk_size" in result.error_line) == (64, True)
    assert run("context", "list", "--json").json == []


@pytest.mark.usefixtures("word_embedder")
def test_only_a_line_feed_ends_a_line(run: Run, write: Write) -> None:
    """U+2028 ends a line for Python's `splitlines`, and stands unescaped in JSON that other programs write."""
    path = write("a.jsonl", json.dumps({"id": "a", "text": "one\u2028two\u0085three"}, ensure_ascii=False) + "\r\n" + GOOD)
    assert run("context", "add", "support", path).code == 64  # the id `a` twice: both lines were read
    path.write_text(path.read_text().replace('"a", "text": "A', '"b", "text": "A'))
    assert run("context", "add", "support", path, "--json").json["added"] == 2


@pytest.mark.usefixtures("word_embedder")
def test_more_documents_than_a_request_takes_are_all_added(run: Run, write: Write) -> None:
    lines = [json.dumps({"id": f"d{number}", "text": f"text {number}"}) for number in range(450)]
    total = run("context", "add", "support", write("a.jsonl", "\n".join(lines)), "--json").json
    assert total == {"added": 450, "unchanged": 0, "chunks": 450}
    (collection,) = run("context", "list", "--json").json
    assert (collection["name"], collection["documents"], collection["chunks"]) == ("support", 450, 450)
    assert run("context", "list").out == "collection\tdocuments\tpassages\nsupport\t450\t450\n"


@pytest.mark.usefixtures("word_embedder")
def test_a_chroma_that_does_not_answer_ends_with_3(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_CHROMA_URL", "http://127.0.0.1:9")
    added = run("context", "add", "support", write("a.md", "A refund takes five days."))
    assert (added.code, added.err) == (0, "")
    for arguments in (["query", "support", "refund"], ["reindex", "support"]):
        result = run("context", *arguments)
        assert (result.code, result.out) == (3, "")
        assert result.error_line.startswith("Chroma does not answer at http://127.0.0.1:9")
    monkeypatch.setenv("PROMPTUARY_CHROMA_URL", "nonsense")
    assert "PROMPTUARY_CHROMA_URL" in run("context", "query", "support", "refund").error_line


@pytest.mark.usefixtures("word_embedder")
@pytest.mark.parametrize(("arguments", "message"), [(["-k", "0"], "k"), (["-k", "101"], "k"), (["-k", "many"], "-k")])
def test_a_number_of_passages_beyond_the_limits_is_refused(run: Run, write: Write, arguments: list[str], message: str) -> None:
    run("context", "add", "support", write("a.md", "A refund takes five days."))
    result = run("context", "query", "support", "refund", *arguments)
    assert (result.code, message in result.error_line) == (64, True)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real embedding model, read once for all commands of the test."""
    loaded: list[Any] = []  # shared by all commands: its weights take seconds to load
    build_embedder = backend.build_embedder
    monkeypatch.setattr(
        backend,
        "build_embedder",
        lambda settings: loaded[0] if loaded else loaded.append(build_embedder(settings)) or loaded[0],
    )


@pytest.mark.model
@pytest.mark.usefixtures("model")
def test_documents_are_added_found_and_reindexed(run: Run, write: Write) -> None:
    folder = write("handbook/refunds.md", "# Refunds\n\nA refund reaches the card within five working days.").parent
    write("handbook/cards/lost.txt", "Lost cards\n\nA lost card is blocked at once, and a new one is sent by post.")
    tickets = write("tickets.jsonl", '{"id": "t1", "text": "The cash machine kept my card", "metadata": {"intent": "atm"}}\n')

    assert run("context", "add", "support", folder, tickets, "--chunk-size", 200).out == (
        "support: 3 documents added, 0 unchanged, 3 passages indexed\n"
    )
    assert run("context", "add", "support", folder, tickets, "--json").json == {"added": 0, "unchanged": 3, "chunks": 0}
    write("handbook/refunds.md", "# Refunds\n\nA refund reaches the card within ten working days.")
    assert run("context", "add", "support", folder, "--json").json == {"added": 1, "unchanged": 1, "chunks": 1}

    (passage,) = run("context", "query", "support", "When do I get my money back?", "-k", 1, "--json").json["passages"]
    assert (passage["document"], passage["chunk"], passage["collection"]) == ("refunds", 0, "support")
    assert "ten working days" in passage["text"]
    assert 0.2 < passage["score"] < 1
    lines = run("context", "query", "support", "What happens to a lost card?", "-k", 2).out.splitlines()
    assert lines[0] == "score\tdocument\tchunk\ttext"
    assert lines[1].split("\t")[1] == "cards/lost"
    assert len(lines) == 3

    assert run("context", "reindex", "support").out == "support: 3 passages in the index\n"
    assert run("context", "reindex", "support", "--json").json == {"chunks": 3}
    assert [passage["document"] for passage in _passages(run)] == ["t1"]

    prompt = {
        "type": "text",
        "template": "{{facts}}\nQuestion: {{question}}",
        "context": {"collection": "support", "query": "{{question}}", "k": 1, "into": "facts"},
        "labels": ["production"],
    }
    run("push", write("prompts/answer.yaml", json.dumps(prompt)))
    rendered = run("render", "answer", "--var", "question=When does my refund come?", "--json").json
    assert "ten working days" in rendered["text"]
    instead = run("render", "answer", "--var", "question=When?", "--query", "the cash machine kept my card").out
    assert "The cash machine kept my card" in instead


def _passages(run: Run) -> list[dict[str, Any]]:
    return run("context", "query", "support", "An ATM swallowed it", "-k", 1, "--json").json["passages"]  # type: ignore[no-any-return]
