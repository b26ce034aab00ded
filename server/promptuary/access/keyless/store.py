"""Queries of the rules: a session in, domain values out."""

from datetime import datetime

from sqlmodel import Session, col, select, update

from promptuary.access.keyless.rule import KeylessRule, PipelinePattern
from promptuary.access.keyless.tables import KeylessRuleRow
from promptuary.access.role import format_grants, parse_grants


def add_rule(session: Session, rule: KeylessRule) -> None:
    """Store a rule."""
    session.add(
        KeylessRuleRow(
            id=rule.id,
            project_id=rule.project,
            **vars(rule.pattern),
            grants=format_grants(rule.grants),
            minutes=rule.minutes,
            created_by=rule.created_by,
            created_at=rule.created_at,
        )
    )
    session.flush()


def list_rules(session: Session, project: int, after: str | None, limit: int) -> list[KeylessRule]:
    """List a project's rules by id, without removed ones."""
    query = select(KeylessRuleRow).where(KeylessRuleRow.project_id == project, col(KeylessRuleRow.removed_at).is_(None))
    if after is not None:
        query = query.where(KeylessRuleRow.id > after)
    return [_rule(row) for row in session.exec(query.order_by(KeylessRuleRow.id).limit(limit))]


def rules_of_repository(session: Session, issuer: str, repository: str) -> list[KeylessRule]:
    """Return the rules of a repository in all projects, by id."""
    row = KeylessRuleRow
    query = select(row).where(row.issuer == issuer, row.repository == repository, col(row.removed_at).is_(None))
    return [_rule(stored) for stored in session.exec(query.order_by(row.id))]


def remove_rule(session: Session, project: int, rule: str, at: datetime) -> bool:
    """Mark a rule removed; return False where the project has no such rule."""
    row = KeylessRuleRow
    change = update(row).where(col(row.id) == rule, col(row.project_id) == project, col(row.removed_at).is_(None))
    return bool(session.execute(change.values(removed_at=at).returning(col(row.id))).all())


def _rule(row: KeylessRuleRow) -> KeylessRule:
    pattern = PipelinePattern(row.issuer, row.repository, row.branch, row.repository_id, row.environment, row.event)
    grants = parse_grants(row.grants)
    return KeylessRule(row.id, row.project_id, pattern, grants, row.minutes, row.created_by, row.created_at)
