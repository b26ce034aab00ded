"""What reviewers wrote on items, removed from their rows; who decided what, and when, stays."""

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, select

from promptuary.review.queues.label_schema import FieldType, LabelField, fields_from_json
from promptuary.review.tables import AdjudicationRow, DecisionRow, GoldCaseRow, ItemRow, SchemaRow


def erase_item_texts(session: Session, items: Iterable[str]) -> int:
    """Clear comments, corrections, free-text labels and reasons on some items; return how many rows had any.

    The rows are decisions, adjudications and gold cases.
    Choices, numbers, spans and tags that are options of their field stay, so that figures of agreement on them stay.
    """
    return sum(_erase_on_item(session, item) for item in items)


def _erase_on_item(session: Session, item: str) -> int:
    queue = session.get_one(ItemRow, item).queue_id
    schemas = session.exec(select(SchemaRow).where(SchemaRow.queue_id == queue)).all()
    fields = {row.number: {field.name: field for field in fields_from_json(row.fields)} for row in schemas}
    changed = 0
    for decision in session.exec(select(DecisionRow).where(DecisionRow.item_id == item)).all():
        decision.comment, decision.correction = "", None
        if decision.labels is not None:
            decision.labels = _without_texts(decision.labels, fields.get(decision.schema_number, {}))
        changed += session.is_modified(decision)
    for settled in session.exec(select(AdjudicationRow).where(AdjudicationRow.item_id == item)).all():
        settled.reason = ""
        if settled.field != "decision":
            known = fields.get(settled.schema_number, {})
            settled.value = _without_texts({settled.field: settled.value}, known).get(settled.field)
        changed += session.is_modified(settled)
    for case in session.exec(select(GoldCaseRow).where(GoldCaseRow.item_id == item)).all():
        case.reason = ""
        changed += session.is_modified(case)
    session.flush()
    return changed


def _without_texts(labels: dict[str, Any], fields: dict[str, LabelField]) -> dict[str, Any]:
    """Return the labels without texts; a label whose field is not known is removed, for it may be one."""
    remaining: dict[str, Any] = {}
    for name, value in labels.items():
        field = fields.get(name)
        if field is None or field.type is FieldType.TEXT:
            continue
        remaining[name] = [tag for tag in value if tag in field.option_values] if field.type is FieldType.TAGS else value
    return remaining
