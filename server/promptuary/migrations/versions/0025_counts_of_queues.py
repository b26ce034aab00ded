"""The queue of each decision, and indexes with which the counts of a queue need no look at each of its items."""

import sqlalchemy as sa
from alembic import op

from promptuary.migrations.triggers import allow_changes, refuse_changes

revision = "0025"
down_revision = "0021"


def upgrade() -> None:
    """Add the column, fill it from the items of the decisions, and add the indexes."""
    op.add_column("decision", sa.Column("queue_id", sa.Integer(), nullable=False, server_default="0"))
    allow_changes("decision")
    item = "SELECT queue_id FROM review_item WHERE review_item.id = decision.item_id"
    op.execute(f"UPDATE decision SET queue_id = ({item})")
    refuse_changes("decision")
    op.create_index("ix_decision_reviewer", "decision", ["reviewer", "queue_id"])
    op.create_index("ix_decision_pace", "decision", ["queue_id", "at", "reviewer"])
    op.create_index("ix_review_item_case", "review_item", ["queue_id", "case_key"])
    op.create_index("ix_review_item_repetition", "review_item", ["queue_id", "repeat_of"])
    op.create_index("ix_claim_lease", "claim", ["state", "lease_until"])
