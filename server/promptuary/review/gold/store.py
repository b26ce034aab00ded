"""Queries of corrections and gold cases. They take a session and return domain values; rows are scoped by project."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import exists
from sqlmodel import Session, col, select

from promptuary.access.identity import shown_name
from promptuary.review.labels.decision import OthersLabels
from promptuary.review.labels.store import list_others
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_standing, item_from_row
from promptuary.review.tables import DecisionRow, GoldCaseRow, ItemRow, QueueRow


@dataclass(frozen=True)
class OutputCorrection:
    """An output that a reviewer has edited.

    Attributes:
        decision: the number of the reviewer's decision.
        queue: the queue's name.
        item: with the output as it was.
        text: the output as it should be.
        decided: the reviewer's decision.
        comment: the reviewer's.
        reviewer: the name that people see.
        reviewer_id: the reviewer's identity.
        at: when it was decided.
        stands: whether it was not undone.
        is_accepted: whether a lead has made it a gold case.
        others: what others decided about the item; empty where nobody reads it.
    """

    decision: int
    queue: str
    item: Item
    text: str | None
    decided: str
    comment: str
    reviewer: str
    reviewer_id: str
    at: datetime
    stands: bool
    is_accepted: bool
    others: tuple[OthersLabels, ...] = ()


@dataclass(frozen=True)
class GoldCase:
    """A case of a dataset whose expected output is a correction that a lead accepted.

    Attributes:
        dataset: the dataset's name.
        dataset_version: the first version in which the case is gold.
        case: its id there.
        case_key: the digest of its input.
        item: the id of the item that was corrected.
        decision: the number of the decision that has the correction.
        reviewer: the identity of who corrected it.
        prompt: the name of the prompt whose output was corrected; None for an application's.
        prompt_version: its version.
        prompt_digest: of the version, or of the application's definition; None for an item that is of no run.
        accepted_by: the identity of who accepted it.
        reason: of that person.
        accepted_at: when.
    """

    dataset: str
    dataset_version: int
    case: str
    case_key: str | None
    item: str
    decision: int | None
    reviewer: str
    prompt: str | None
    prompt_version: int | None
    prompt_digest: str | None
    accepted_by: str
    reason: str
    accepted_at: datetime


def list_corrections(session: Session, queue: Queue, after: int | None, limit: int) -> list[OutputCorrection]:
    """List the corrections in a queue that stand, in the order in which they were made, with what others decided."""
    query = _corrections().where(ItemRow.queue_id == queue.id, col(DecisionRow.correction).is_not(None), is_standing())
    if after is not None:
        query = query.where(col(DecisionRow.id) > after)
    rows = session.exec(query.order_by(col(DecisionRow.id)).limit(limit))
    corrections = [_correction_from_row(session, *row) for row in rows]
    return [replace(each, others=tuple(list_others(session, each.item.id, [each.reviewer_id]))) for each in corrections]


def find_corrections(session: Session, project: int, decisions: Collection[int]) -> dict[int, OutputCorrection]:
    """Return decisions of a project by their numbers, as corrections; those that are none have no text."""
    query = _corrections().where(QueueRow.project_id == project, col(DecisionRow.id).in_(decisions))
    corrections = (_correction_from_row(session, *row) for row in session.exec(query))
    return {correction.decision: correction for correction in corrections}


def _corrections() -> Any:
    is_accepted = exists().where(col(GoldCaseRow.decision_id) == col(DecisionRow.id))
    query = select(DecisionRow, ItemRow, QueueRow.name).add_columns(is_standing(), is_accepted)
    query = query.join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    return query.join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id)).execution_options(populate_existing=True)


def _correction_from_row(
    session: Session, row: DecisionRow, item: ItemRow, queue: str, stands: bool, is_accepted: bool
) -> OutputCorrection:
    return OutputCorrection(
        decision=row.id or 0,
        queue=queue,
        item=item_from_row(session, item),
        text=row.correction,
        decided=row.decision,
        comment=row.comment,
        reviewer=shown_name(session, row.reviewer),
        reviewer_id=row.reviewer,
        at=row.at,
        stands=stands,
        is_accepted=is_accepted,
    )


def add_gold_case(session: Session, project: int, gold: GoldCase) -> None:
    """Store where a gold case comes from."""
    session.add(
        GoldCaseRow(
            project_id=project,
            dataset=gold.dataset,
            dataset_version=gold.dataset_version,
            case_id=gold.case,
            case_key=gold.case_key,
            item_id=gold.item,
            decision_id=gold.decision,
            reviewer=gold.reviewer,
            prompt=gold.prompt,
            prompt_version=gold.prompt_version,
            prompt_digest=gold.prompt_digest,
            accepted_by=gold.accepted_by,
            reason=gold.reason,
            accepted_at=gold.accepted_at,
        )
    )
    session.flush()


def list_gold_cases(session: Session, project: int, dataset: str, after: int | None, limit: int) -> list[tuple[int, GoldCase]]:
    """List the gold cases of a dataset in the order in which they were accepted, each with its number."""
    query = select(GoldCaseRow).where(GoldCaseRow.project_id == project, GoldCaseRow.dataset == dataset)
    if after is not None:
        query = query.where(col(GoldCaseRow.id) > after)
    rows = session.exec(query.order_by(col(GoldCaseRow.id)).limit(limit))
    return [(row.id or 0, _gold_case_from_row(row)) for row in rows]


def _gold_case_from_row(row: GoldCaseRow) -> GoldCase:
    return GoldCase(
        dataset=row.dataset,
        dataset_version=row.dataset_version,
        case=row.case_id,
        case_key=row.case_key,
        item=row.item_id,
        decision=row.decision_id,
        reviewer=row.reviewer,
        prompt=row.prompt,
        prompt_version=row.prompt_version,
        prompt_digest=row.prompt_digest,
        accepted_by=row.accepted_by,
        reason=row.reason,
        accepted_at=row.accepted_at,
    )
