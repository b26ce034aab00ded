"""The rules of projects and keys."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from promptuary.access import audit, store
from promptuary.access.api_key import ApiKey, generate_key, parse_key
from promptuary.access.role import Role
from promptuary.access.store import Key, Project
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.database import Database, Session
from promptuary.core.errors import AlreadyExists, Forbidden, NotAuthenticated, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor

DEFAULT_PROJECT = "default"


def authenticate(session: Session, text: str, now: datetime) -> Caller:
    """Return the caller that an API key's text belongs to.

    Raises:
        NotAuthenticated: for a key that is malformed, unknown, expired or revoked; the message is the same for each.
    """
    api_key = parse_key(text)
    key = store.find_key(session, api_key.id) if api_key else None
    if api_key is None or key is None or not api_key.matches(key.hash) or not key.is_active(now):
        raise _not_valid()
    project = store.get_project(session, key.project)
    assert project is not None
    return Caller(project.id, project.name, f"key:{key.name}", key.role, key.expires_at, key.id)


def require_active_key(session: Session, caller: Caller, now: datetime) -> None:
    """Check inside a transaction that the key of an authenticated caller has not ended since.

    Between authentication and the transaction a request may wait: for a slot, or for the rest of its body.

    Raises:
        NotAuthenticated: as `authenticate` does. A caller without a key always passes.
    """
    if caller.key_id is None:
        return
    key = store.find_key(session, caller.key_id)
    if key is None or not key.is_active(now):
        raise _not_valid()


def _not_valid() -> NotAuthenticated:
    return NotAuthenticated("the key is not valid; check that it was copied completely, or create a new one")


def local_caller(database: Database, now: datetime, project_name: str = DEFAULT_PROJECT) -> Caller:
    """Return the operator of this machine, who has the data directory itself; create the project if it does not exist."""
    with database.read() as session:
        project = store.find_project(session, project_name)
    if project is None:
        with database.write() as session:
            project = store.get_or_create_project(session, project_name, now)
    return Caller(project.id, project.name, "local", Role.OPERATOR)


@dataclass(frozen=True)
class AccessService:
    """Projects and keys, for the caller of a unit of work."""

    unit: UnitOfWork

    def create_project(self, name: str) -> Project:
        """Create a project.

        Raises:
            AlreadyExists: when the name is taken.
        """
        if store.find_project(self.unit.session, name):
            raise AlreadyExists(f"there is a project '{name}' already")
        project = store.add_project(self.unit.session, name, self.unit.clock())
        audit.record_change(self.unit, "project.created", name)
        return project

    def projects(self, limit: int, cursor: str | None) -> Page[Project]:
        """List the projects by name."""
        rows = store.list_projects(self.unit.session, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda project: project.name)

    def create_key(self, name: str, role: Role, days: int | None = None, project_name: str | None = None) -> tuple[Key, ApiKey]:
        """Create a key; only this call returns its text.

        Args:
            name: by which people recognize it.
            role: what it may do.
            days: after how many days it ends; None for no end.
            project_name: another project than the caller's, for operators.

        Raises:
            Forbidden: for a role above the caller's own, or another project without an operator's key.
            NotFound: when there is no such project.
        """
        caller = self.unit.caller
        if Role.OPERATOR in (role, caller.role) and caller.role is not Role.OPERATOR:
            raise Forbidden("only an operator makes operators' keys")
        project = self._project_of_new_key(project_name)
        now, api_key = self.unit.clock(), generate_key()
        key = Key(
            id=api_key.id,
            project=project,
            name=name,
            role=role,
            hash=api_key.secret_hash(),
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
            revoked_at=None,
        )
        store.add_key(self.unit.session, key)
        unit_of_project = replace(self.unit, caller=replace(caller, project=project))
        audit.record_change(unit_of_project, "key.created", key.id, {"name": name, "role": role})
        return key, api_key

    def _project_of_new_key(self, project_name: str | None) -> int:
        caller = self.unit.caller
        if project_name is None or project_name == caller.project_name:
            return caller.project
        if caller.role is not Role.OPERATOR:
            raise Forbidden("only an operator makes keys for another project")
        project = store.find_project(self.unit.session, project_name)
        if project is None:
            raise NotFound(f"there is no project '{project_name}'")
        return project.id

    def keys(self, limit: int, cursor: str | None) -> Page[Key]:
        """List the project's keys, including revoked ones."""
        rows = store.list_keys(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda key: key.id)

    def revoke_key(self, id: str) -> None:  # noqa: A002 - the API's own parameter name
        """Revoke a key at once; revoking it again changes nothing.

        Raises:
            NotFound: when the project has no such key.
        """
        key = store.find_key(self.unit.session, id)
        if key is None or key.project != self.unit.caller.project:
            raise NotFound(f"there is no key '{id}'")
        if key.revoked_at is None:
            store.revoke_key(self.unit.session, key, self.unit.clock())
            audit.record_change(self.unit, "key.revoked", id)
