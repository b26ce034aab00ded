"""`promptuary context add | query | list | documents | remove | reindex`: documents and their passages."""

import json as json_text
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.cli.registry.search import warn_unindexed
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile

app = typer.Typer(help="Collections of documents from which prompts retrieve passages.", no_args_is_help=True)
Collection = Annotated[str, typer.Argument(help="The collection's name.")]
TEXTS = (".md", ".txt")
_BATCH_BYTES = 400_000
_BATCH = 200


@app.command("add")
def add(
    collection: Collection,
    paths: Annotated[list[Path], typer.Argument(help="Texts (.md, .txt), documents (.jsonl), or folders of them.")],
    chunk_size: Annotated[
        int | None,
        typer.Option("--chunk-size", help="Characters of a chunk, for a new collection.", parser=integer, metavar="INTEGER"),
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Add documents: chunk, embed and index them. A new collection is created; unchanged documents are skipped."""
    documents = read_documents(*paths)
    with connect(project) as api:
        total = add_documents(api, collection, documents, chunk_size)
    if json:
        print_json(total)
    else:
        print_line(f"{collection}: {describe_added(total)}, {total['chunks']} passages indexed")


def describe_added(total: Mapping[str, int]) -> str:
    """Return how many documents were added, and how many had not changed."""
    return f"{total['added']} documents added, {total['unchanged']} unchanged"


def add_documents(
    api: ApiClient, collection: str, documents: list[dict[str, Any]], chunk_size: int | None = None
) -> dict[str, int]:
    """Add documents in batches that fit the body limit; return the totals `added`, `unchanged` and `chunks`."""
    path = f"/collections/{path_segment(collection)}"
    api.put(path, {"chunk_size": chunk_size})
    total = {"added": 0, "unchanged": 0, "chunks": 0}
    for batch in _batches(documents):
        added = api.post(f"{path}/documents", {"documents": batch})
        total = {name: total[name] + added[name] for name in total}
    return total


def _batches(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        document_size = len(document["text"].encode())
        if batch and (size + document_size > _BATCH_BYTES or len(batch) == _BATCH):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += document_size
    if batch:
        yield batch


def read_documents(*paths: Path) -> list[dict[str, Any]]:
    """Read the documents of files and folders: each text, and each line of a `.jsonl` file, is one document.

    Raises:
        InvalidFile: for a path without a document, with file, line and field of what is wrong, or for two documents with one
            id, of which the collection would keep the second.
    """
    documents: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    field_errors: list[FieldError] = []
    for place, document in (placed for path in paths for placed in _read(path)):
        if (first := places.setdefault(document["id"], place)) != place:
            field_errors.append(FieldError("", f"'{document['id']}' occurs twice, in {first} and in {place}"))
        documents.append(document)
    if field_errors:
        raise InvalidFile("documents have the same id", field_errors)
    return documents


_PlacedDocument = tuple[str, dict[str, Any]]


def _read(path: Path) -> Iterator[_PlacedDocument]:
    """Yield each document with its place: its file, and the line in a `.jsonl` file."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in (*TEXTS, ".jsonl"))
        if not files:
            raise InvalidFile(f"{path} contains no document (.md, .txt, .jsonl)")
        for file in files:
            yield from _file(file, str(file.relative_to(path).with_suffix("")))
    else:
        yield from _file(path, path.stem)


def _file(path: Path, key: str) -> Iterator[_PlacedDocument]:
    if path.suffix in TEXTS:
        text = read_text(path)
        if not text.strip():
            raise InvalidFile(f"{path} is blank")
        title = text.strip().splitlines()[0].lstrip("# ").strip()[:500]
        yield str(path), {"id": key.replace("\\", "/"), "text": text, "title": title}
        return
    if path.suffix != ".jsonl":
        raise InvalidFile(f"{path} is neither .md, .txt nor .jsonl")
    for number, text in enumerate(read_text(path, 64 * 1024 * 1024).split("\n"), 1):
        if text.strip():
            yield f"{path} line {number}", _document(text, path, number)


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
        FieldError("text", "is blank", number) for text in (value.get("text"),) if isinstance(text, str) and not text.strip()
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
    text: Annotated[str, typer.Argument(help="The text to search for.")],
    k: Annotated[int, typer.Option("-k", help="The maximum number of passages.", parser=integer, metavar="INTEGER")] = 4,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Find the passages that are most similar to a text."""
    with connect(project) as api:
        response = api.post(f"/collections/{path_segment(collection)}/query", {"query": text, "k": k})
    if json:
        print_json(response)
        return
    rows = [
        (f"{passage['score']:.3f}", passage["document"], passage["chunk"], passage["text"].replace("\n", " "))
        for passage in response["passages"]
    ]
    print_table(["score", "document", "chunk", "text"], rows)


@app.command("list")
def list_collections(project: Project = None, json: AsJson = False) -> None:
    """List the collections and their sizes."""
    with connect(project) as api:
        collections = [api.get(f"/collections/{path_segment(listed['name'])}") for listed in api.items("/collections")]
    if json:
        print_json(collections)
        return
    print_table(
        ["collection", "documents", "passages"], [(entry["name"], entry["documents"], entry["chunks"]) for entry in collections]
    )


@app.command("documents")
def list_documents(collection: Collection, project: Project = None, json: AsJson = False) -> None:
    """List the documents of a collection."""
    with connect(project) as api:
        documents = list(api.items(f"/collections/{path_segment(collection)}/documents"))
    if json:
        print_json(documents)
        return
    rows = [(document["id"], document["title"], document["digest"], document["created_at"]) for document in documents]
    print_table(["document", "title", "digest", "at"], rows)


@app.command("remove")
def remove_documents(
    collection: Collection,
    documents: Annotated[list[str], typer.Argument(help="The ids of the documents, as `context documents` lists them.")],
    project: Project = None,
) -> None:
    """Delete documents from a collection."""
    with connect(project) as api:
        for document in documents:
            api.delete(f"/collections/{path_segment(collection)}/documents", id=document)
            print_line(f"{collection}: {document} deleted")


@app.command("reindex")
def reindex(
    collection: Annotated[str | None, typer.Argument(help="The collection's name.")] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Rebuild the index of prompts instead, and embed what is missing.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Rebuild a collection's index in Chroma from SQL, or the index of the prompts."""
    if prompts == (collection is not None):
        raise Invalid("no index to rebuild", [FieldError("COLLECTION", "name a collection, or pass --prompts")])
    with connect(project) as api:
        if collection is None:
            index = _reindex_prompts(api)
        else:
            index = api.post(f"/collections/{path_segment(collection)}/reindex", {})
    if json:
        print_json(index)
    elif collection is None:
        print_line(f"{index['prompts']} prompts in the index")
        warn_unindexed(index["behind"])
    else:
        print_line(f"{collection}: {index['chunks']} passages in the index")


def _reindex_prompts(api: ApiClient) -> Any:
    """Rebuild the index in as many steps as it takes. A step without progress is the last: prompts may arrive all the time."""
    index = api.post("/search/reindex", {"anew": True})
    while index["behind"]:
        before = index["behind"]
        index = api.post("/search/reindex", {})
        if index["behind"] >= before:
            break
    return index
