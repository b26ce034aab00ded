"""Queries of a project's traffic settings. They take a session and return domain values."""

import secrets
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from promptuary.core.settings import Settings
from promptuary.traffic.settings.project_settings import ProjectTraffic, TrafficSettings
from promptuary.traffic.settings.rule import MappingRule
from promptuary.traffic.tables import TrafficSettingsRow

KEY_BYTES = 32


def load_project_traffic(session: Session, project: int, settings: Settings) -> ProjectTraffic:
    """Return what counts in a project; in a reading transaction `user_key` is empty until the project's first call."""
    row = session.exec(_query(project)).one_or_none()
    service = TrafficSettings.of_service(settings)
    if row is None:
        return ProjectTraffic(service)
    rules = tuple(MappingRule(**rule) for rule in row.rules)
    return ProjectTraffic(service.overridden(row.settings), rules, dict(row.settings), row.user_key)


def require_project_traffic(session: Session, project: int, settings: Settings) -> ProjectTraffic:
    """Return what counts in a project; its first call creates the key by which the ids of end users are hashed."""
    traffic = load_project_traffic(session, project, settings)
    if not traffic.user_key:
        _add_row(session, project)
        traffic = load_project_traffic(session, project, settings)
    return traffic


def lock_project_traffic(session: Session, project: int, settings: Settings) -> ProjectTraffic:
    """Return what counts in a project; its settings are locked until the transaction ends."""
    _add_row(session, project)
    session.exec(_query(project).with_for_update()).one()
    return load_project_traffic(session, project, settings)


def put_project_settings(session: Session, project: int, overrides: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    """Store a project's own settings and rules; its key stays as it is."""
    _add_row(session, project)
    changed = update(TrafficSettingsRow).where(col(TrafficSettingsRow.project_id) == project)
    session.exec(changed.values(settings=overrides, rules=rules))


def _query(project: int) -> Any:
    return select(TrafficSettingsRow).where(TrafficSettingsRow.project_id == project).execution_options(populate_existing=True)


def _add_row(session: Session, project: int) -> None:
    """Add the row with a new key where there is none; of writers at the same time, one adds it."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {"project_id": project, "user_key": secrets.token_bytes(KEY_BYTES), "settings": {}, "rules": []}
    session.execute(dialect.insert(TrafficSettingsRow).values(row).on_conflict_do_nothing())
