"""The rules of projects and keys."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from promptuary.access import audit, store
from promptuary.access.api_key import ApiKey, generate_key
from promptuary.access.identity import display_name_error
from promptuary.access.keys import store as key_store
from promptuary.access.keys.store import Key, Member, find_member
from promptuary.access.people.rules import require_not_above
from promptuary.access.people.store import find_person
from promptuary.access.role import GRANTABLE, SCOPES, Role, Scope
from promptuary.access.store import Project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import AlreadyExists, FieldError, Forbidden, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor


@dataclass(frozen=True)
class KeyHolder:
    """Whose a new key is: a person's by their id, or a service's with grants beyond its role."""

    person: str | None = None
    grants: frozenset[Scope] = frozenset()


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

    def create_key(
        self,
        name: str,
        role: Role,
        days: int | None = None,
        project_name: str | None = None,
        holder: KeyHolder = KeyHolder(),
    ) -> tuple[Key, ApiKey]:
        """Create a key; only this call returns its text.

        Args:
            name: by which people recognize it.
            role: what it may do.
            days: after how many days it ends; None for no end.
            project_name: another project than the caller's, for operators.
            holder: whose it is, and what it is allowed beyond its role.

        Raises:
            Forbidden: for a role, a grant or a person above the caller, or another project without an operator's key.
            InvalidRequest: for a name with characters that are not seen, or grants that the role cannot have.
            NotFound: when there is no such project, or the project has no such person.
        """
        _check_new_key(name, role, holder.grants)
        self.unit.caller.require_to_give(role, holder.grants)
        project = self._project_of_new_key(project_name)
        person = self._person_of_new_key(holder.person, project) if holder.person is not None else None
        now, api_key = self.unit.clock(), generate_key()
        key = Key(
            id=api_key.id,
            project=project,
            name=name,
            role=role,
            hash=api_key.secret_hash(),
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
            person=person,
            grants=holder.grants,
        )
        key_store.add_key(self.unit.session, key)
        unit_of_project = replace(self.unit, caller=replace(self.unit.caller, project=project))
        detail: dict[str, Any] = {"name": name, "role": role}
        if person is not None:
            detail["person"] = person.id
        if holder.grants:
            detail["grants"] = sorted(holder.grants)
        audit.record_change(unit_of_project, "key.created", key.id, detail)
        return key, api_key

    def _person_of_new_key(self, person_id: str, project: int) -> Member:
        """Return whose key it will be: who makes a person's key could act as that person, so only some may."""
        caller = self.unit.caller
        if person_id != caller.person_id:
            caller.require(Scope.PERSON_MANAGE)
        member, person = find_member(self.unit.session, person_id, project), find_person(self.unit.session, person_id)
        if member is None or person is None or member.role is None:
            raise NotFound(f"the project has no person '{person_id}'; create them, or give them a role in it")
        if not member.is_active:
            raise InvalidRequest("the key cannot be created", [FieldError("person", "is deactivated")])
        require_not_above(caller, person)
        return member

    def _project_of_new_key(self, project_name: str | None) -> int:
        caller = self.unit.caller
        if project_name is None or project_name == caller.project_name:
            return caller.project
        if not caller.has(Scope.PROJECT_MANAGE):
            raise Forbidden("only an operator makes keys for another project")
        project = store.find_project(self.unit.session, project_name)
        if project is None:
            raise NotFound(f"there is no project '{project_name}'")
        return project.id

    def keys(self, limit: int, cursor: str | None) -> Page[Key]:
        """List the project's keys, including revoked ones."""
        rows = key_store.list_keys(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda key: key.id)

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key at once; revoking it again changes nothing.

        Raises:
            NotFound: when the project has no such key.
            Forbidden: for a key that may do more than the caller, or that is the key of another person whom the caller may
                not act on.
        """
        caller = self.unit.caller
        key = key_store.find_key(self.unit.session, key_id)
        if key is None or key.project != caller.project:
            raise NotFound(f"there is no key '{key_id}'")
        missing = (SCOPES[key.role] | key.grants) - caller.scopes
        if missing:
            raise Forbidden(f"the key may do more than you, so you cannot revoke it: {', '.join(sorted(missing))}")
        if key.person is not None and key.person.id != caller.person_id:
            caller.require(Scope.PERSON_MANAGE)
            person = find_person(self.unit.session, key.person.id)
            if person is not None:
                require_not_above(caller, person)
        if key.revoked_at is None:
            key_store.revoke_key(self.unit.session, key, self.unit.clock())
            audit.record_change(self.unit, "key.revoked", key_id)


def _check_new_key(name: str, role: Role, grants: frozenset[Scope]) -> None:
    errors = []
    if (message := display_name_error(name)) is not None:
        errors.append(FieldError("name", message))
    if grants and role is not Role.CI:
        errors.append(FieldError("grants", f"are for keys of the role 'ci'; a '{role}' has what its role has"))
    if grants - GRANTABLE:
        errors.append(FieldError("grants", f"may be {', '.join(sorted(GRANTABLE))}"))
    if errors:
        raise InvalidRequest("the key cannot be created", errors)
