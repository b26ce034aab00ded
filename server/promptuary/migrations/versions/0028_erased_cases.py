"""A dataset's case can be erased: the one change that the triggers of `dataset_case` permit."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Allow an UPDATE to empty a case once, while its place and its id stay."""
    if op.get_context().dialect.name == "sqlite":
        new, old = (f"json_extract({row}.body, '$.%s')" for row in ("NEW", "OLD"))
        op.execute("DROP TRIGGER dataset_case_no_update")
        op.execute(
            "CREATE TRIGGER dataset_case_no_update BEFORE UPDATE ON dataset_case WHEN NOT ("
            "NEW.dataset_version_id IS OLD.dataset_version_id AND NEW.ordinal IS OLD.ordinal "
            f"AND {old % 'erased'} IS NULL AND {new % 'erased'} IS 1 AND {new % 'id'} IS {old % 'id'} "
            f"AND {new % 'vars'} IS '{{}}' AND {new % 'expected'} IS NULL"
            ") BEGIN SELECT RAISE(ABORT, 'dataset_case is append-only'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION promptuary_case_erased_or_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' AND NEW.dataset_version_id = OLD.dataset_version_id AND NEW.ordinal = OLD.ordinal "
        "AND OLD.body->>'erased' IS NULL AND NEW.body->>'erased' = 'true' AND NEW.body->>'id' = OLD.body->>'id' "
        "AND NEW.body->>'vars' = '{}' AND NEW.body->>'expected' IS NULL THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'dataset_case is append-only'; END $$"
    )
    op.execute("DROP TRIGGER dataset_case_append_only ON dataset_case")
    op.execute(
        "CREATE TRIGGER dataset_case_append_only BEFORE UPDATE OR DELETE ON dataset_case "
        "FOR EACH ROW EXECUTE FUNCTION promptuary_case_erased_or_unchanged()"
    )
