"""Split labels, includes, tags, and the events that the stream reads, and a counter of each project's changes of keys."""

import sqlalchemy as sa
from alembic import op

from promptuary.migrations.triggers import refuse_changes

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
APPEND_ONLY = ("event", "version_include")


def upgrade() -> None:
    """Add the new columns and tables; existing rows stay as they are."""
    op.add_column("project", sa.Column("access_revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("label", sa.Column("split", sa.JSON(), nullable=True))
    op.add_column("label_move", sa.Column("split", sa.JSON(), nullable=True))
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "revision"),
    )
    op.create_index(op.f("ix_event_prompt_id"), "event", ["prompt_id"], unique=False)
    op.create_table(
        "version_include",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("included_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["included_id"], ["version.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"]),
        sa.PrimaryKeyConstraint("version_id", "reference"),
    )
    op.create_index(op.f("ix_version_include_included_id"), "version_include", ["included_id"], unique=False)
    op.create_table(
        "prompt_tag",
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("prompt_id", "tag"),
    )
    op.create_index(op.f("ix_prompt_tag_tag"), "prompt_tag", ["tag"], unique=False)
    for table in APPEND_ONLY:
        refuse_changes(table)
