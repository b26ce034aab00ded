"""50 reviewers at once on 1,000 items with 2 slots, through a real server, on SQLite and on PostgreSQL.

    python -m bench.claims [CLAIMERS ITEMS]

Every reviewer claims two items at a time, decides, undoes, releases and defers. An item that came to one person twice, or to
more people than it has slots, is an error.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from factories.claimers import ClaimedItem, named, review_at_once
from factories.reviews import SEEN
from factories.served_process import ServedProcess, served_process

CLAIMERS, ITEMS, SLOTS, BATCH = 50, 1000, 2, 500


@dataclass(frozen=True)
class ClaimFigures:
    """One run: how many claims were made, how many decisions undone, the violations, and the decisions a second."""

    database: str
    claims: int
    undone: int
    violations: int
    rate: float


@dataclass(frozen=True)
class HttpReviewer:
    """A reviewer whose calls are requests."""

    http: httpx.Client
    queue: str

    def claim(self, beside: str | None) -> ClaimedItem | None:
        response = self._post(f"/queues/{self.queue}/claims", {"beside": beside})
        return None if response.status_code == 204 else _claimed(response)

    def submit(self, claim: ClaimedItem) -> int:
        body = {"nonce": claim.nonce, "decision": "approve", "comment": claim.item, **SEEN}
        return int(self._post(f"/claims/{claim.id}/submit", body).json()["id"])

    def end(self, claim: ClaimedItem, action: str) -> None:
        self._post(f"/claims/{claim.id}/{action}", None)

    def undo(self, decision: int) -> ClaimedItem:
        return _claimed(self._post(f"/decisions/{decision}/undo", None))

    def _post(self, path: str, body: object) -> httpx.Response:
        """Send a request, again while the database is busy."""
        for _ in range(20):
            response = self.http.post(f"/v1{path}", json=body)
            if response.status_code != 503:
                break
            time.sleep(0.2)
        assert response.is_success, f"{path}: {response.status_code} {response.text}"
        return response


def _claimed(response: httpx.Response) -> ClaimedItem:
    claim = response.json()
    return ClaimedItem(claim["id"], claim["nonce"], claim["item"]["id"])


@contextmanager
def servers() -> Iterator[dict[str, ServedProcess]]:
    """Run a server on each database."""
    from factories.databases import Postgres

    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgresql")
        try:
            with (
                postgres.copy("template0") as url,
                served_process(_folder(folder, "on-sqlite")) as sqlite_server,
                served_process(_folder(folder, "on-postgresql"), PROMPTUARY_DATABASE_URL=url) as postgresql_server,
            ):
                yield {"SQLite": sqlite_server, "PostgreSQL": postgresql_server}
        finally:
            postgres.stop()


def _folder(parent: str, name: str) -> Path:
    folder = Path(parent) / name
    folder.mkdir()
    return folder


def measured(claimers: int = CLAIMERS, items: int = ITEMS) -> list[ClaimFigures]:
    """Run the reviewers on each database, one after the other."""
    with servers() as running:
        return [_measure(name, server, claimers, items) for name, server in running.items()]


def _measure(database: str, server: ServedProcess, claimers: int, items: int) -> ClaimFigures:
    queue = "bench.claims"
    api = httpx.Client(base_url=server.url, headers=server.headers, timeout=60)
    assert api.put(f"/v1/queues/{queue}", json={"slots": SLOTS}).is_success
    for first in range(0, items, BATCH):
        body = [{"source": f"item-{n}", "payload": {"output": f"text {n}"}} for n in range(first, min(items, first + BATCH))]
        assert api.post(f"/v1/queues/{queue}/items", json={"items": body}).is_success

    def make(name: str) -> HttpReviewer:
        key = api.post("/v1/keys", json={"name": name, "role": "reviewer"}).json()["key"]
        return HttpReviewer(httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=60), queue)

    reviewers = named(claimers, make)
    started = time.perf_counter()
    record = review_at_once(reviewers, SLOTS)
    seconds = time.perf_counter() - started
    decided: Counter[str] = Counter()
    people: set[tuple[str, str]] = set()
    cursor = None
    while True:
        page = api.get(f"/v1/queues/{queue}/export", params={"limit": 200, **({"cursor": cursor} if cursor else {})}).json()
        for decision in page["items"]:
            decided[decision["item"]] += 1
            people.add((decision["item"], decision["reviewer_id"]))
            assert decision["comment"] == decision["item"], "a comment was lost"
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(decided) == items
    assert set(decided.values()) == {SLOTS}
    assert len(people) == items * SLOTS
    assert decided == record.slots_used
    return ClaimFigures(database, record.claims, record.undone, len(record.violations), items * SLOTS / seconds)


def main(arguments: Sequence[str]) -> int:
    """Run it, and return 1 where there was a violation."""
    figures = measured(*map(int, arguments))
    for row in figures:
        print(
            f"{row.database}: {row.claims} claims, {row.undone} decisions undone, {row.violations} violations, "
            f"{row.rate:.0f} decisions/s"
        )
    return int(any(row.violations for row in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
