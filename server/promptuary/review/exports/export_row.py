"""One row of an export: a decision, what it is about, and the labels that count for the item."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.access.contents import TrackedContent
from promptuary.review.agreement.final_label import FinalLabel


@dataclass(frozen=True)
class ExportRow:
    """A decision of an export. `reviewer` is the name that people see, `reviewer_id` the identity.

    `final` has the labels that count for the item, by name; a label in dispute and an unfinished item have none.
    """

    id: int
    item: str
    source: str
    probability: float
    selection: str | None
    stored_payload: TrackedContent[dict[str, Any]]
    reviewer: str
    reviewer_id: str
    decision: str
    labels: Mapping[str, Any]
    comment: str
    correction: str | None
    schema_number: int
    at: datetime
    final: Mapping[str, FinalLabel]

    @property
    def payload(self) -> dict[str, Any]:
        """What the reviewer saw; reading it is noted in the transaction, see `promptuary.access.contents`."""
        return self.stored_payload.read()

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        return {
            "id": self.id,
            "item": self.item,
            "source": self.source,
            "probability": self.probability,
            "selection": self.selection,
            "reviewer": self.reviewer,
            "reviewer_id": self.reviewer_id,
            "decision": self.decision,
            "labels": dict(self.labels),
            "comment": self.comment,
            "correction": self.correction,
            "schema_number": self.schema_number,
            "at": format_instant(self.at),
            "final": {name: {"value": final.value, "origin": final.origin.value} for name, final in self.final.items()},
            "payload": self.payload,
        }


def format_instant(at: datetime) -> str:
    """Return an instant as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")
