"""The digests of the collections that a run's versions retrieve from."""

from collections.abc import Iterable

from promptuary.context import store as context_store
from promptuary.core.database import Session


def collection_digests(session: Session, project: int, collections: Iterable[str | None]) -> dict[str, str | None]:
    """Return the digest of each collection's content by the collection's name; None for one that does not exist."""
    names = sorted({name for name in collections if name is not None})
    return {name: context_store.content_digest(session, project, name) for name in names}
