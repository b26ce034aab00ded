"""The rules of parked messages: an operator lists, retries or drops them, whichever project they belong to."""

from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.operations import store
from promptuary.operations.store import ParkedMessage


@dataclass(frozen=True)
class ParkedMessages:
    """The messages that were refused too often, on behalf of an operator."""

    unit: UnitOfWork

    def list(self, limit: int, cursor: str | None) -> Page[ParkedMessage]:
        """Return a page of the parked messages, in the order of their numbers."""
        messages = store.list_parked(self.unit.session, decode_cursor(cursor, int), limit + 1)
        return build_page(messages, limit, lambda message: message.id)

    def retry(self, message: int) -> ParkedMessage:
        """Make a message due again, with all its tries; a worker delivers it.

        Raises:
            NotFound: when no such message is parked.
        """
        parked = store.retry_parked(self.unit.session, message, self.unit.clock())
        audit.record_change(self.unit, "message.retried", str(message), {"topic": parked.topic})
        return parked

    def drop(self, message: int) -> None:
        """Drop a message: it is never delivered.

        Raises:
            NotFound: when no such message is parked.
        """
        parked = store.drop_parked(self.unit.session, message, self.unit.clock())
        audit.record_change(
            self.unit, "message.dropped", str(message), {"topic": parked.topic, "payload": dict(parked.payload)}
        )
