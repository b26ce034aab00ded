"""A version's content can be erased: the one change that the triggers of `version` permit."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

UNCHANGED = ("id", "prompt_id", "number", "digest", "message", "author", "created_at")


def upgrade() -> None:
    """Add the time of the erasure, and let an UPDATE set it once while it empties the content and changes nothing else."""
    op.add_column("version", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    if op.get_context().dialect.name == "sqlite":
        unchanged = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in (*UNCHANGED, "tags"))
        op.execute("DROP TRIGGER version_no_update")
        op.execute(
            "CREATE TRIGGER version_no_update BEFORE UPDATE ON version WHEN NOT ("
            f"OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND NEW.content = '' AND {unchanged}"
            ") BEGIN SELECT RAISE(ABORT, 'version is append-only'); END"
        )
        return
    unchanged = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in UNCHANGED)
    op.execute(
        "CREATE FUNCTION promptuary_version_erased_or_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND NEW.content = '' "
        f"AND NEW.tags::text = OLD.tags::text AND {unchanged} THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'version is append-only'; END $$"
    )
    op.execute("DROP TRIGGER version_append_only ON version")
    op.execute(
        "CREATE TRIGGER version_append_only BEFORE UPDATE OR DELETE ON version "
        "FOR EACH ROW EXECUTE FUNCTION promptuary_version_erased_or_unchanged()"
    )
