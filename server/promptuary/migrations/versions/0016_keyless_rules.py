"""Rules by which pipelines exchange their platform's token for a key."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table of the rules."""
    op.create_table(
        "keyless_rule",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("repository_id", sa.String(), nullable=True),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("grants", sa.String(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("removed_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_keyless_rule_project_id", "keyless_rule", ["project_id"])
    op.create_index("ix_keyless_rule_repository", "keyless_rule", ["repository"])
