"""Triggers that make a table append-only; several migrations use them."""

from alembic import op


def refuse_changes(table: str) -> None:
    """Add triggers with which the database itself refuses to change or remove a table's rows."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION promptuary_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION promptuary_append_only()"
    )
    refuse_truncation(table)


def refuse_truncation(table: str) -> None:
    """Add the trigger with which PostgreSQL refuses to TRUNCATE a table, which fires no trigger of rows.

    SQLite has no TRUNCATE. A table that has the trigger keeps it.
    """
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute(f"DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}")
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION promptuary_append_only()"
    )


def allow_changes(table: str) -> None:
    """Remove the triggers of `refuse_changes`, so that a migration may fill a new column; it adds them again."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")
        return
    op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
