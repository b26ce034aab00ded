"""Random slices of review items beside their priority, and cases that are recognized by their input."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
BATCH = 500


def upgrade() -> None:
    """Add the columns, and store the key of each item's input, by which a gold case is recognized."""
    op.add_column("review_item", sa.Column("slice_probability", sa.Float(), nullable=True))
    op.add_column("review_item", sa.Column("case_key", sa.String(), nullable=True))
    op.add_column("gold_case", sa.Column("case_key", sa.String(), nullable=True))
    op.create_index("ix_gold_case_key", "gold_case", ["project_id", "case_key"], unique=False)
    connection = op.get_bind()
    page = sa.text("SELECT id, payload FROM review_item WHERE id > :last ORDER BY id LIMIT :batch")
    change = sa.text("UPDATE review_item SET case_key = :key WHERE id = :id")
    last = ""
    while rows := connection.execute(page, {"last": last, "batch": BATCH}).all():
        last = rows[-1][0]
        keys = [{"id": item, "key": key} for item, payload in rows if (key := _input_key(payload)) is not None]
        if keys:
            connection.execute(change, keys)


def _input_key(payload: Any) -> str | None:
    """Return the key of an item's input as this release computes it; None for an item without variables."""
    body = json.loads(payload) if isinstance(payload, str) else payload
    variables = body.get("input") if isinstance(body, dict) else None
    if not isinstance(variables, dict):
        return None
    text = json.dumps({"vars": variables}, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
