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
    """Find who holds a key.

    Raises:
        NotAuthenticated: for a key that is malformed, unknown, expired or revoked; which, is not told.
    """
    given = parse_key(text)
    key = store.find_key(session, given.id) if given else None
    if given is None or key is None or not given.matches(key.hash) or not key.live(now):
        raise NotAuthenticated("the key is not valid; ask for a new one, or check that it was copied whole")
    project = store.get_project(session, key.project)
    assert project is not None
    return Caller(project.id, project.name, f"key:{key.name}", key.role, key.expires_at)


def local_caller(database: Database, now: datetime, project: str = DEFAULT_PROJECT) -> Caller:
    """Give the operator of this machine, who has the data directory itself; makes the project if it is new."""
    with database.read() as session:
        found = store.find_project(session, project)
    if found is None:
        with database.write() as session:
            found = store.get_or_create_project(session, project, now)
    return Caller(found.id, found.name, "local", Role.OPERATOR)


@dataclass(frozen=True)
class AccessService:
    """Projects and keys, on behalf of a caller."""

    unit: UnitOfWork

    def create_project(self, name: str) -> Project:
        """Make a project.

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

    def create_key(self, name: str, role: Role, days: int | None = None, project: str | None = None) -> tuple[Key, ApiKey]:
        """Make a key; its text is given here and never again.

        Args:
            name: what people know it by.
            role: what it may do.
            days: after how many days it ends; None for no end.
            project: another project than the caller's, for operators.

        Raises:
            Forbidden: for a role above the caller's own, or another project without an operator's key.
            NotFound: when there is no such project.
        """
        caller = self.unit.caller
        if Role.OPERATOR in (role, caller.role) and caller.role is not Role.OPERATOR:
            raise Forbidden("only an operator makes operators' keys")
        target = caller.project
        if project is not None and project != caller.project_name:
            if caller.role is not Role.OPERATOR:
                raise Forbidden("only an operator makes keys for another project")
            found = store.find_project(self.unit.session, project)
            if found is None:
                raise NotFound(f"there is no project '{project}'")
            target = found.id
        now, text = self.unit.clock(), generate_key()
        key = Key(
            id=text.id,
            project=target,
            name=name,
            role=role,
            hash=text.hashed(),
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
            revoked_at=None,
        )
        store.add_key(self.unit.session, key)
        at_home = replace(self.unit, caller=replace(caller, project=target))
        audit.record_change(at_home, "key.created", key.id, {"name": name, "role": role})
        return key, text

    def keys(self, limit: int, cursor: str | None) -> Page[Key]:
        """List the project's keys, revoked ones too."""
        rows = store.list_keys(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda key: key.id)

    def revoke_key(self, id: str) -> None:  # noqa: A002 - the word of the API
        """End a key now; revoking it again changes nothing.

        Raises:
            NotFound: when the project has no such key.
        """
        key = store.find_key(self.unit.session, id)
        if key is None or key.project != self.unit.caller.project:
            raise NotFound(f"there is no key '{id}'")
        if key.revoked_at is None:
            store.revoke_key(self.unit.session, key, self.unit.clock())
            audit.record_change(self.unit, "key.revoked", id)
