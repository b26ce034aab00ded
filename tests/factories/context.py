"""The three indexes, and a context stocked with a few documents."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.word_embedder import WordEmbedder
from promptuary.context import store as context_store
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.store import Collection, StoredDocument
from promptuary.context.vector_source import build_embedding_backend, build_exact_index
from promptuary.embedding.chroma_index import connect_chroma, open_embedded_chroma
from promptuary.embedding.index import VectorIndex


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server of this test process."""
    folder = tmp_path_factory.mktemp("chroma-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", "from chromadb.cli.cli import app; app()", "run", "--path", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                httpx.get(f"{url}/api/v2/heartbeat", timeout=1)
                break
            except httpx.HTTPError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["embedded", "server", "exact"])
def index(request: pytest.FixtureRequest, tmp_path: Path, sqlite: Any) -> Iterator[VectorIndex]:
    """Each of the three indexes in turn."""
    if request.param == "embedded":
        opened: VectorIndex = open_embedded_chroma(tmp_path / "chroma")
    elif request.param == "server":
        opened = connect_chroma(request.getfixturevalue("chroma_server"))
    else:
        opened = build_exact_index(sqlite)
    yield opened
    opened.close()


@pytest.fixture
def retrieval(sqlite: Any, clock: Any, settings: Any, index: VectorIndex) -> PassageRetrieval:
    """Retrieval over each index, with the small embedder."""
    return PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder(), index=index))


@pytest.fixture
def ingest(sqlite: Any, clock: Any, settings: Any, unit_as: Any) -> Callable[..., Any]:
    """Take documents into the collection `policies`: `ingest(retrieval, key="text", …)`."""
    from promptuary.context.ingestion import DocumentIngestion, NewDocument
    from promptuary.context.service import Collections

    def take(retrieval: PassageRetrieval, metadata: dict[str, Any] | None = None, **documents: str) -> Any:
        with unit_as("author") as unit:
            Collections(unit).put_collection("policies")
            caller = unit.caller
        new = [NewDocument(key, text, "", metadata or {}) for key, text in documents.items()]
        return DocumentIngestion(sqlite, clock, settings, retrieval).add(caller, "policies", new)

    return take


@pytest.fixture
def add_documents() -> Callable[..., None]:
    """Add documents without chunks by their keys to the collection `tickets`, which is created with the first."""

    def add(unit: Any, *keys: str) -> None:
        project = unit.caller.project
        collection = context_store.collection(unit.session, project, "tickets")
        if collection is None:
            new = Collection(0, "tickets", f"uid{project}", "", "words", 3, 100, 10, unit.clock())
            collection = context_store.add_collection(unit.session, project, new)
        for key in keys:
            document = StoredDocument(0, key, "", f"sha256:{key}", {}, unit.clock())
            context_store.add_document(unit.session, collection.id, document, [])

    return add
