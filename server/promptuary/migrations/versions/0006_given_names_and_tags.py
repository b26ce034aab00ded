"""Names of prompts as other registries' SDKs gave them, and tags of prompts and versions that can be set and removed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two columns and a table; existing prompts get no given name, and existing versions keep their tags."""
    op.add_column("prompt", sa.Column("given_name", sa.String(), nullable=True))
    op.add_column("prompt", sa.Column("tags", sa.JSON(), nullable=True))
    op.create_index("ix_prompt_given_name", "prompt", ["project_id", "given_name"], unique=True)
    op.create_table(
        "version_tags",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"]),
        sa.PrimaryKeyConstraint("version_id"),
    )
