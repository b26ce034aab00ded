"""One row of an export: a decision, what it is about, and the labels that count for the item."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.review.agreement.final_label import FinalLabel, LabelOrigin
from promptuary.review.labels.decision import Decision
from promptuary.review.queues.item_title import case_of


@dataclass(frozen=True)
class ExportRow:
    """A decision of an export.

    `final` has the labels that count for the item, by name; a label in dispute and an unfinished item have none.
    """

    decision: Decision
    final: Mapping[str, FinalLabel]

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        decision = self.decision
        return {
            "id": decision.id,
            "item": decision.item,
            "source": decision.source,
            "case": case_of(decision.payload),
            "probability": decision.probability,
            "selection": decision.selection,
            "reviewer": decision.reviewer,
            "reviewer_id": decision.reviewer_id,
            "decision": decision.decision,
            "labels": decision.labels,
            "comment": decision.comment,
            "correction": decision.correction,
            "schema_number": decision.schema_number,
            "at": format_instant(decision.at),
            "final": {name: _final_to_json(final) for name, final in self.final.items()},
            "payload": decision.payload,
        }


def _final_to_json(final: FinalLabel) -> dict[str, Any]:
    """Return a label that counts; the reason and the adjudicator are those of a settled one."""
    settled = {"reason": final.reason, "settled_by": final.settled_by}
    is_settled = final.origin is LabelOrigin.ADJUDICATED
    return {"value": final.value, "origin": final.origin.value, **(settled if is_settled else {})}


def format_instant(at: datetime) -> str:
    """Return an instant as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")
