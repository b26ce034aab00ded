"""What reviewers wrote can be erased: the one change that the triggers of decisions, adjudications and gold cases permit."""

from alembic import op

revision = "0029"
down_revision = "0028"

_SUBSET = (
    "NOT EXISTS (SELECT 1 FROM json_each({new}) AS n WHERE n.type IS NOT 'text' OR "
    "NOT EXISTS (SELECT 1 FROM json_each({old}) AS o WHERE o.value IS n.value))"
)
_SQLITE = {
    "comment": "(NEW.comment IS OLD.comment OR NEW.comment IS '')",
    "reason": "(NEW.reason IS OLD.reason OR NEW.reason IS '')",
    "correction": "(NEW.correction IS OLD.correction OR NEW.correction IS NULL)",
    "labels": "((NEW.labels IS NULL) = (OLD.labels IS NULL) AND NOT EXISTS (SELECT 1 FROM json_each(NEW.labels) AS m "
    "WHERE NOT EXISTS (SELECT 1 FROM json_each(OLD.labels) AS l WHERE l.key IS m.key AND (l.value IS m.value "
    f"OR (l.type = 'array' AND m.type = 'array' AND {_SUBSET.format(new='m.value', old='l.value')})))))",
    "value": "(NEW.value IS OLD.value OR NEW.value IS 'null' OR (json_type(NEW.value) = 'array' "
    f"AND json_type(OLD.value) = 'array' AND {_SUBSET.format(new='NEW.value', old='OLD.value')}))",
}
_POSTGRES = {
    "comment": "(NEW.comment = OLD.comment OR NEW.comment = '')",
    "reason": "(NEW.reason = OLD.reason OR NEW.reason = '')",
    "correction": "(NEW.correction IS NOT DISTINCT FROM OLD.correction OR NEW.correction IS NULL)",
    "labels": "(NEW.labels::text IS NOT DISTINCT FROM OLD.labels::text OR OLD.labels::jsonb @> NEW.labels::jsonb)",
    "value": "(NEW.value::text = OLD.value::text OR NEW.value::text = 'null' OR (json_typeof(NEW.value) = 'array' "
    "AND json_typeof(OLD.value) = 'array' AND OLD.value::jsonb @> NEW.value::jsonb))",
}
_TEXTS = {
    "decision": ("comment", "correction", "labels"),
    "adjudication": ("reason", "value"),
    "gold_case": ("reason",),
}
_KEPT = {
    "decision": (
        "id", "queue_id", "item_id", "claim_id", "reviewer", "attempt", "decision", "schema_number", "swapped", "seen_at", "at",
    ),
    "adjudication": ("id", "item_id", "field", "adjudicator", "schema_number", "at"),
    "gold_case": (
        "id", "project_id", "dataset", "dataset_version", "case_id", "case_key", "item_id", "decision_id", "reviewer", "prompt",
        "prompt_version", "prompt_digest", "accepted_by", "accepted_at",
    ),
}  # fmt: skip


def upgrade() -> None:
    """Allow an UPDATE that only removes texts."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    for table, texts in _TEXTS.items():
        conditions = _SQLITE if is_sqlite else _POSTGRES
        same = "NEW.{0} IS OLD.{0}" if is_sqlite else "NEW.{0} IS NOT DISTINCT FROM OLD.{0}"
        permitted = " AND ".join([*(same.format(name) for name in _KEPT[table]), *(conditions[name] for name in texts)])
        if is_sqlite:
            op.execute(f"DROP TRIGGER {table}_no_update")
            op.execute(
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN NOT ({permitted}) "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
            continue
        op.execute(
            f"CREATE FUNCTION promptuary_{table}_without_texts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'UPDATE' THEN IF {permitted} THEN RETURN NEW; END IF; END IF; "
            f"RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION promptuary_{table}_without_texts()"
        )
