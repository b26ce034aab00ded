"""Which versions' contents a transaction has read, so that the response stored for its retries ends with each of them.

Content is read from the database as `TrackedContent`. A response is built from what its transaction has read, so the versions
that are noted here are those whose content it can contain. No route has to declare them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from promptuary.core.database import Session

_KEY = "promptuary.contents"
Value = TypeVar("Value")


@dataclass(frozen=True)
class ContentReference:
    """A version whose content something contains, by its prompt's name and its number."""

    prompt: str
    version: int


@dataclass(frozen=True)
class TrackedContent(Generic[Value]):
    """A value from the database that contains a version's content; reading it is noted in its transaction.

    Without a reference the value is of no version, and reading it is not noted.
    """

    value: Value = field(repr=False)
    reference: ContentReference | None = None
    contents_read: set[ContentReference] = field(default_factory=set, compare=False, repr=False)

    def read(self) -> Value:
        """Return the value, and note that its version's content was read."""
        if self.reference is not None:
            self.contents_read.add(self.reference)
        return self.value


def track_content(session: Session, value: Value, prompt: str, version: int) -> TrackedContent[Value]:
    """Return a value that contains a version's content, so that reading it is noted in the session."""
    return TrackedContent(value, ContentReference(prompt, version), contents_read(session))


def contents_read(session: Session) -> set[ContentReference]:
    """Return the versions whose content was read in the session; the set grows with every read."""
    contents: set[ContentReference] = session.info.setdefault(_KEY, set())
    return contents


@contextmanager
def read_without_response(session: Session) -> Iterator[None]:
    """Run a block whose reads are not noted: it decides by the contents, and passes none of them on to the response."""
    contents = contents_read(session)
    before = frozenset(contents)
    try:
        yield
    finally:
        contents.intersection_update(before)
