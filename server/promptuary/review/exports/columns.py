"""The columns of an export as a table: the decision, each field, and the labels that count."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.review.agreement.final_label import FinalLabel
from promptuary.review.agreement.label import PRIMARY, LabelDefinition, Level
from promptuary.review.exports.export_row import ExportRow, format_instant
from promptuary.review.queues.item_title import case_of


@dataclass(frozen=True)
class Column:
    """A column: its name, whether its values are numbers, and the value of a row."""

    name: str
    is_number: bool
    value: Callable[[ExportRow], Any]


def table_columns(labels: Sequence[LabelDefinition]) -> list[Column]:
    """Return the columns; a field's own one is `label.<name>`, and the label that counts `final.<name>`.

    Beside it stand its origin, and the reason and the adjudicator of a settled one.
    """
    columns = [
        Column("item", False, lambda row: row.decision.item),
        Column("source", False, lambda row: row.decision.source),
        Column("reviewer", False, lambda row: row.decision.reviewer),
        Column("decision", False, lambda row: row.decision.decision),
        Column("comment", False, lambda row: row.decision.comment),
        Column("at", False, lambda row: format_instant(row.decision.at)),
        Column("id", True, lambda row: row.decision.id),
        Column("reviewer_id", False, lambda row: row.decision.reviewer_id),
        Column("probability", True, lambda row: row.decision.probability),
        Column("selection", False, lambda row: row.decision.selection),
        Column("schema_number", True, lambda row: row.decision.schema_number),
        Column("correction", False, lambda row: row.decision.correction),
        Column("case", False, lambda row: case_of(row.decision.payload)),
    ]
    for label in labels:
        columns += _label_columns(label)
    return [*columns, *(_payload_column(part) for part in ("input", "output", "expected"))]


def _label_columns(label: LabelDefinition) -> list[Column]:
    name, is_number = label.name, label.level is Level.INTERVAL

    def final(row: ExportRow) -> FinalLabel | None:
        return row.final.get(name)

    own = (
        []
        if name == PRIMARY
        else [Column(f"label.{name}", is_number, lambda row: _number(row.decision.labels.get(name), is_number))]
    )
    return [
        *own,
        Column(
            f"final.{name}", is_number, lambda row: _number(row.final[name].value, is_number) if name in row.final else None
        ),
        Column(f"final.{name}.origin", False, lambda row: row.final[name].origin.value if name in row.final else None),
        Column(f"final.{name}.reason", False, lambda row: row.final[name].reason if name in row.final else None),
        Column(f"final.{name}.settled_by", False, lambda row: row.final[name].settled_by if name in row.final else None),
    ]


def _number(value: Any, is_number: bool) -> Any:
    """Return a value for its column; in a column of numbers, a label of an earlier schema that is none is left out."""
    if not is_number:
        return value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _payload_column(part: str) -> Column:
    return Column(part, False, lambda row: row.decision.payload.get(part))


def cell_text(value: Any) -> str | None:
    """Return a value as the text of a cell: a text as it is, any other value as JSON, None for a missing one."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
