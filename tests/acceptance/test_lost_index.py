"""A Chroma folder that is lost, emptied or older than the database: answers are right, and it is rebuilt by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.databases import Postgres
from factories.served_process import ServedProcess, served_process, wait_until

pytestmark = pytest.mark.acceptance
DOCUMENTS = {
    "card": "A new card arrives within five working days.",
    "fee": "A transfer abroad costs two percent.",
    "pin": "Three wrong PINs block the card until you call us.",
    "rate": "Savings earn three percent a year.",
}
QUERY = {"query": "How long does it take until my card arrives?", "k": 4}


@pytest.fixture(params=["sqlite", "postgresql"])
def variables(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a server, on each database."""
    if request.param == "sqlite":
        yield {}
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.copy() as url:
        yield {"PROMPTUARY_DATABASE_URL": url}


def add(server: ServedProcess, **documents: str) -> None:
    body = {"documents": [{"id": name, "text": text} for name, text in documents.items()]}
    assert server.client.post("/v1/collections/policies/documents", json=body).status_code == 201


def query(server: ServedProcess) -> tuple[set[str], str]:
    response = server.client.post("/v1/collections/policies/query", json=QUERY)
    assert response.status_code == 200, response.text
    body = response.json()
    return {passage["document"] for passage in body["passages"]}, body["searched"]


def empty(folder: Path) -> None:
    for child in folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def test_a_lost_folder_never_answers_in_silence(tmp_path: Path, variables: dict[str, str]) -> None:
    chroma, lose = tmp_path / "data" / "chroma", remove if variables else empty
    with served_process(tmp_path, **variables) as server:
        assert server.client.put("/v1/collections/policies", json={}).is_success
        add(server, card=DOCUMENTS["card"], fee=DOCUMENTS["fee"], pin=DOCUMENTS["pin"])
        assert query(server) == ({"card", "fee", "pin"}, "index")
    lose(chroma)
    with served_process(tmp_path, name="again", **variables) as server:
        add(server, rate=DOCUMENTS["rate"])
        assert query(server) == (set(DOCUMENTS), "sql")
        wait_until(lambda: query(server) == (set(DOCUMENTS), "index"))
        assert "the index has lost something" in server.log
        lose(chroma)  # while the server runs
        for _ in range(3):
            assert query(server)[0] == set(DOCUMENTS)
        wait_until(lambda: query(server) == (set(DOCUMENTS), "index"))


def test_a_folder_of_an_older_backup_is_noticed_though_its_count_is_right(tmp_path: Path) -> None:
    chroma, backup = tmp_path / "data" / "chroma", tmp_path / "backup"
    with served_process(tmp_path) as server:
        assert server.client.put("/v1/collections/policies", json={}).is_success
        add(server, card="Nothing about that.", fee=DOCUMENTS["fee"])
        assert query(server) == ({"card", "fee"}, "index")
    shutil.copytree(chroma, backup)
    with served_process(tmp_path, name="later") as server:
        add(server, card=DOCUMENTS["card"])
        assert query(server) == ({"card", "fee"}, "index")
    shutil.rmtree(chroma)
    shutil.copytree(backup, chroma)
    with served_process(tmp_path, name="restored") as server:
        assert query(server) == ({"card", "fee"}, "sql")
        wait_until(lambda: query(server) == ({"card", "fee"}, "index"))


def test_a_single_collection_that_is_missing_is_rebuilt(tmp_path: Path) -> None:
    from promptuary.embedding.chroma_index import open_embedded_chroma

    with served_process(tmp_path) as server:
        for name in ("policies", "others"):
            assert server.client.put(f"/v1/collections/{name}", json={}).is_success
        add(server, **DOCUMENTS)
        assert query(server) == (set(DOCUMENTS), "index")
    index = open_embedded_chroma(tmp_path / "data" / "chroma")
    for collection in index._client.list_collections():
        if index.count(collection.name):
            index.drop(collection.name)
    index.close()
    with served_process(tmp_path, name="again") as server:
        assert query(server) == (set(DOCUMENTS), "sql")
        wait_until(lambda: query(server) == (set(DOCUMENTS), "index"))


def test_lost_vectors_of_prompts_are_searched_in_sql_and_sent_again(tmp_path: Path) -> None:
    def search(server: ServedProcess) -> tuple[set[str], str]:
        body = server.client.get("/v1/search", params={"q": "sort a ticket", "limit": 5}).json()
        return {item["name"] for item in body["items"]}, body["searched"]

    def register(server: ServedProcess, *names: str) -> None:
        for name in names:
            body = {"type": "text", "template": f"Sort the ticket of {name} into one of the intents."}
            assert server.client.post(f"/v1/prompts/{name}/versions", json=body).status_code == 201

    with served_process(tmp_path) as server:
        register(server, "a", "b", "c")
        assert search(server) == ({"a", "b", "c"}, "index")
    remove(tmp_path / "data" / "chroma")
    with served_process(tmp_path, name="again") as server:
        register(server, "d")
        assert search(server) == ({"a", "b", "c", "d"}, "sql")
        wait_until(lambda: search(server) == ({"a", "b", "c", "d"}, "index"))


def test_two_servers_on_one_data_directory_answer_alike(tmp_path: Path) -> None:
    """One of them owns the folder; the other searches SQL, and takes the folder over when the first has ended."""
    with served_process(tmp_path, name="first") as first:
        assert first.client.put("/v1/collections/policies", json={}).is_success
        add(first, **DOCUMENTS)
        assert query(first) == (set(DOCUMENTS), "index")
        with served_process(tmp_path, name="second") as second:
            assert query(second) == (set(DOCUMENTS), "sql")
            add(second, card="Cards come by post.")
            assert query(first) == (set(DOCUMENTS), "index")
            assert query(second) == (set(DOCUMENTS), "sql")
