"""Evidence of applications: a row has a prompt with its version, or an application."""

import sqlalchemy as sa
from alembic import op

from promptuary.migrations.triggers import refuse_changes

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the application; prompt and version may be empty. SQLite copies the table, so its triggers are added again."""
    sqlite = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("evidence", recreate="always" if sqlite else "never") as evidence:
        evidence.alter_column("prompt", existing_type=sa.String(), nullable=True)
        evidence.alter_column("version", existing_type=sa.Integer(), nullable=True)
        evidence.add_column(sa.Column("target", sa.JSON(), nullable=True))
    if sqlite:
        refuse_changes("evidence")
