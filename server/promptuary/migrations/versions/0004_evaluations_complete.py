"""Measurements of a result, the response cache, evidence, schedules and alerts."""

import sqlalchemy as sa
from alembic import op

from promptuary.migrations.triggers import refuse_changes

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the new columns and tables; existing results keep their figures in `detail`, and existing runs have cost 0."""
    op.add_column("run", sa.Column("spent", sa.Float(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("reserved", sa.Float(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("schedule", sa.String(), nullable=True))
    op.create_index(op.f("ix_run_schedule"), "run", ["schedule"], unique=False)
    op.create_index("ix_run_outcome", "run", ["state", "verdict"], unique=False)
    op.add_column("result", sa.Column("latency_ms", sa.Float(), nullable=True))
    op.add_column("result", sa.Column("tokens_input", sa.Integer(), nullable=True))
    op.add_column("result", sa.Column("tokens_output", sa.Integer(), nullable=True))
    op.add_column("result", sa.Column("cost", sa.Float(), nullable=True))
    op.add_column("result", sa.Column("cached", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "response",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id", "key"),
    )
    op.create_index(op.f("ix_response_created_at"), "response", ["created_at"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("suite_digest", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_digest", sa.String(), nullable=False),
        sa.Column("judges", sa.JSON(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("gates", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "variant"),
    )
    op.create_index("ix_evidence_of", "evidence", ["project_id", "prompt", "digest"], unique=False)
    refuse_changes("evidence")
    op.create_table(
        "schedule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("cron", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("margin", sa.Float(), nullable=False),
        sa.Column("webhook", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("last_run", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_index("ix_schedule_due", "schedule", ["paused", "next_at"], unique=False)
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("interval", sa.JSON(), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seen_by", sa.String(), nullable=True),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "model", "metric"),
    )
    op.create_index(op.f("ix_alert_project_id"), "alert", ["project_id"], unique=False)
