"""`promptuary context add | query | list | reindex`: documents in, passages out."""

import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.cli.registry.search import warn_unindexed
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile

app = typer.Typer(help="Collections of documents that prompts retrieve from.", no_args_is_help=True)
Collection = Annotated[str, typer.Argument(help="The collection's name.")]
TEXTS = (".md", ".txt")
_BATCH_BYTES = 400_000
_BATCH = 200


@app.command("add")
def add(
    collection: Collection,
    paths: Annotated[list[Path], typer.Argument(help="Texts (.md, .txt), documents (.jsonl), or folders of them.")],
    chunk_size: Annotated[int | None, typer.Option("--chunk-size", help="Characters of a chunk, for a new collection.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Take documents in: cut, embedded, indexed. A new collection is made; what has not changed is left alone."""
    documents = [document for path in paths for document in read_documents(path)]
    with connect(project) as api:
        total = take_in(api, collection, documents, chunk_size)
    if json:
        print_json(total)
    else:
        documents_told = f"{total['added']} documents added, {total['unchanged']} unchanged"
        print_line(f"{collection}: {documents_told}, {total['chunks']} passages indexed")


def take_in(api: ApiClient, collection: str, documents: list[dict[str, Any]], chunk_size: int | None = None) -> dict[str, int]:
    """Send documents in batches that fit the body limit; gives what came of them in all."""
    where = f"/collections/{path_segment(collection)}"
    api.put(where, {"chunk_size": chunk_size})
    total = {"added": 0, "unchanged": 0, "chunks": 0}
    for batch in _batches(documents):
        added = api.post(f"{where}/documents", {"documents": batch})
        total = {name: total[name] + added[name] for name in total}
    return total


def _batches(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        own = len(document["text"].encode())
        if batch and (size + own > _BATCH_BYTES or len(batch) == _BATCH):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += own
    if batch:
        yield batch


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Read the documents of a file or a folder: a text is one document, a line of `.jsonl` is one.

    Raises:
        InvalidFile: for a path with none, or naming file, line and field.
    """
    return list(_read(path))


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in (*TEXTS, ".jsonl"))
        if not files:
            raise InvalidFile(f"{path} holds no document (.md, .txt, .jsonl)")
        for file in files:
            yield from _file(file, str(file.relative_to(path).with_suffix("")))
    else:
        yield from _file(path, path.stem)


def _file(path: Path, key: str) -> Iterator[dict[str, Any]]:
    if path.suffix in TEXTS:
        text = read_text(path)
        if not text.strip():
            raise InvalidFile(f"{path} is blank")
        title = text.strip().splitlines()[0].lstrip("# ").strip()[:500]
        yield {"id": key.replace("\\", "/"), "text": text, "title": title}
        return
    if path.suffix != ".jsonl":
        raise InvalidFile(f"{path} is neither .md, .txt nor .jsonl")
    for number, text in enumerate(read_text(path, 64 * 1024 * 1024).split("\n"), 1):
        if text.strip():
            yield _document(text, path, number)


def _document(text: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json_text.loads(text)
        json_text.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{path} cannot be read", [FieldError("", f"not JSON: {error}", number)]) from None
    if not isinstance(value, dict):
        raise InvalidFile(f"{path} cannot be read", [FieldError("", "must be an object with `id` and `text`", number)])
    field_errors = [
        FieldError(field, "is required, as a string", number)
        for field in ("id", "text")
        if not isinstance(value.get(field), str)
    ]
    field_errors += [
        FieldError("text", "is blank", number) for given in (value.get("text"),) if isinstance(given, str) and not given.strip()
    ]
    field_errors += [
        FieldError(field, "is not a known field", number) for field in value.keys() - {"id", "text", "title", "metadata"}
    ]
    if field_errors:
        raise InvalidFile(f"{path} cannot be read", field_errors)
    return value


@app.command("query")
def query(
    collection: Collection,
    text: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", help="The most passages.")] = 4,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Find the passages that are nearest to a text."""
    with connect(project) as api:
        found = api.post(f"/collections/{path_segment(collection)}/query", {"query": text, "k": k})
    if json:
        print_json(found)
        return
    rows = [(f"{one['score']:.3f}", one["document"], one["chunk"], one["text"].replace("\n", " ")) for one in found["passages"]]
    print_table(["score", "document", "chunk", "text"], rows)


@app.command("list")
def list_collections(project: Project = None, json: AsJson = False) -> None:
    """List the collections and how much they hold."""
    with connect(project) as api:
        held = [api.get(f"/collections/{path_segment(one['name'])}") for one in api.items("/collections")]
    if json:
        print_json(held)
        return
    print_table(["collection", "documents", "passages"], [(one["name"], one["documents"], one["chunks"]) for one in held])


@app.command("reindex")
def reindex(
    collection: Annotated[str | None, typer.Argument(help="The collection's name.")] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="The index of prompts instead, embedding what is missing.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Make a collection's index in Chroma anew from SQL, or that of the prompts."""
    if prompts == (collection is not None):
        raise Invalid("nothing can be indexed anew", [FieldError("COLLECTION", "give a collection, or --prompts")])
    with connect(project) as api:
        if collection is None:
            made = _reindex_prompts(api)
        else:
            made = api.post(f"/collections/{path_segment(collection)}/reindex", {})
    if json:
        print_json(made)
    elif collection is None:
        print_line(f"{made['prompts']} prompts in the index")
        warn_unindexed(made["behind"])
    else:
        print_line(f"{collection}: {made['chunks']} passages in the index")


def _reindex_prompts(api: ApiClient) -> Any:
    """Ask for as many steps as it takes; one that gets nowhere is the last, for prompts may come in all the time."""
    made = api.post("/search/reindex", {"anew": True})
    while made["behind"]:
        before = made["behind"]
        made = api.post("/search/reindex", {})
        if made["behind"] >= before:
            break
    return made
