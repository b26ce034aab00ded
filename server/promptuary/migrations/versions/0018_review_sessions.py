"""Review sessions: label schemas, drafts, deferred items and undone decisions; pairs, adjudication, gold cases and judges."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from promptuary.migrations.triggers import refuse_changes

revision = "0018"
down_revision = "0017"

TIMESTAMP = sa.DateTime(timezone=True)
APPEND_ONLY = ("review_schema", "decision_undo", "adjudication", "gold_case", "judge_calibration", "judge_label")


def upgrade() -> None:
    """Add the columns and tables; queues and decisions of earlier releases have no schema, and their items no pair."""
    _extend_queues()
    _extend_decisions()
    _create_labels()
    _create_gold_cases()
    _create_judges()
    for table in APPEND_ONLY:
        refuse_changes(table)


def _extend_queues() -> None:
    op.add_column("queue", sa.Column("schema_number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("queue", sa.Column("undo_seconds", sa.Integer(), nullable=False, server_default="300"))
    op.add_column("queue", sa.Column("swap_share", sa.Float(), nullable=False, server_default="0"))
    op.add_column("queue", sa.Column("due_at", TIMESTAMP, nullable=True))
    for column in ("reviewers", "adjudicators", "blind", "source"):
        op.add_column("queue", sa.Column(column, sa.JSON(), nullable=True))
    for column in ("selection", "repeat_of"):
        op.add_column("review_item", sa.Column(column, sa.String(), nullable=True))
    for column in ("pair_sides", "gold"):
        op.add_column("review_item", sa.Column(column, sa.JSON(), nullable=True))
    op.add_column("claim", sa.Column("beside", sa.String(), nullable=True))
    op.add_column("claim", sa.Column("draft", sa.JSON(), nullable=True))
    for column in ("draft_at", "deferred_until"):
        op.add_column("claim", sa.Column(column, TIMESTAMP, nullable=True))
    op.create_index("ix_claim_reviewer", "claim", ["reviewer", "state"], unique=False)


def _extend_decisions() -> None:
    """Add the columns, and let a reviewer decide an item again after an undo.

    SQLite cannot drop the constraint, which has no name, so the table is copied and its triggers are added again.
    """
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("labels", sa.JSON(), nullable=True),
        sa.Column("correction", sa.Text(), nullable=True),
        sa.Column("schema_number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("swapped", sa.Boolean(), nullable=True),
        sa.Column("seen_at", TIMESTAMP, nullable=True),
    )
    if op.get_context().dialect.name != "sqlite":
        for column in columns:
            op.add_column("decision", column)
        op.drop_constraint("decision_item_id_reviewer_key", "decision", type_="unique")
        op.create_unique_constraint(None, "decision", ["item_id", "reviewer", "attempt"])
        return
    names = ("id", "item_id", "claim_id", "reviewer", "decision", "comment", "at")
    op.rename_table("decision", "former_decision")
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("claim_id"),
        sa.UniqueConstraint("item_id", "reviewer", "attempt"),
    )
    op.execute(f"INSERT INTO decision ({', '.join(names)}) SELECT {', '.join(names)} FROM former_decision")
    op.drop_table("former_decision")
    refuse_changes("decision")


def _create_labels() -> None:
    op.create_table(
        "review_schema",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("rubric", sa.Text(), nullable=False),
        sa.Column("examples", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"]),
        sa.PrimaryKeyConstraint("queue_id", "number"),
    )
    op.create_table(
        "decision_undo",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"]),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_table(
        "pair_side",
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.PrimaryKeyConstraint("item_id", "reviewer"),
    )
    op.create_table(
        "adjudication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("adjudicator", sa.String(), nullable=False),
        sa.Column("schema_number", sa.Integer(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_adjudication_item", "adjudication", ["item_id", "field"], unique=False)


def _create_gold_cases() -> None:
    op.create_table(
        "gold_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=True),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=True),
        sa.Column("prompt_version", sa.Integer(), nullable=True),
        sa.Column("prompt_digest", sa.String(), nullable=True),
        sa.Column("accepted_by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("accepted_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "dataset", "dataset_version", "case_id"),
    )
    op.create_index("ix_gold_case_item_id", "gold_case", ["item_id"], unique=False)


def _create_judges() -> None:
    op.create_table(
        "judge_calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("judge_digest", sa.String(), nullable=False),
        sa.Column("judge", sa.JSON(), nullable=False),
        sa.Column("population_digest", sa.String(), nullable=False),
        sa.Column("population", sa.JSON(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_judge_calibration_judge", "judge_calibration", ["project_id", "judge_digest"], unique=False)
    op.create_table(
        "judge_label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("judge_digest", sa.String(), nullable=False),
        sa.Column("item_key", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("calibration_id", sa.Integer(), nullable=True),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.ForeignKeyConstraint(["calibration_id"], ["judge_calibration.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "judge_digest", "item_key", "purpose"),
    )
