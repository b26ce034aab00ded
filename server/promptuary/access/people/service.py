"""The rules of people: who creates, changes and deactivates them, and what ends with a membership."""

from dataclasses import dataclass, replace

from promptuary.access import audit, store
from promptuary.access.api_key import random_text
from promptuary.access.audit import Change
from promptuary.access.identity import person_name_error
from promptuary.access.keys import store as key_store
from promptuary.access.people import store as people_store
from promptuary.access.people.rules import require_not_above
from promptuary.access.people.store import Person
from promptuary.access.role import Role, Scope
from promptuary.access.sessions import store as session_store
from promptuary.access.sessions.service import CreatedCode, create_code
from promptuary.access.store import Project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import AlreadyExists, FieldError, Forbidden, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor


@dataclass(frozen=True)
class PeopleService:
    """People, on behalf of a caller. An operator sees all, everybody else those of their project.

    A change of a person counts the access revision of each project that it concerns, in its transaction, so that every
    process takes notice at once.
    """

    unit: UnitOfWork

    def create(self, name: str, role: Role | None = None, project_name: str | None = None) -> Person:
        """Create a person, and give them a role in a project.

        Args:
            name: unique in the installation, in any case and form.
            role: in the project; None leaves the person without a project, which only an operator may.
            project_name: another project than the caller's, for operators.

        Raises:
            InvalidRequest: for a name that cannot be used, or no role.
            AlreadyExists: when the name is taken.
            Forbidden: for a role above the caller's own.
            NotFound: when there is no such project.
        """
        unit = self.unit
        if (message := person_name_error(name)) is not None:
            raise InvalidRequest("the person cannot be created", [FieldError("name", message)])
        if role is None and not self._is_operator():
            raise InvalidRequest("the person cannot be created", [FieldError("role", "is required; it is their role here")])
        project = self._project(project_name)
        if role is not None:
            unit.caller.require_to_give(role)
        person = f"person_{random_text(16)}"
        if not people_store.add_person(unit.session, person, name, unit.clock()):
            raise AlreadyExists("there is a person of that name already, in this or another spelling; take another name")
        if role is not None:
            people_store.set_role(unit.session, person, project.id, role, unit.clock())
            store.next_access_revision(unit.session, project.id)
        self._record("person.created", person, [project.id], {"role": role})
        return self.get(person)

    def get(self, person_id: str) -> Person:
        """Return a person whom the caller may see, with the memberships that the caller may see.

        Raises:
            NotFound: when there is none.
        """
        return self._visible(self._existing(person_id))

    def find(self, name: str) -> list[Person]:
        """Return the person of a name, in any case or form, whom the caller may see; an empty list where there is none."""
        person = people_store.find_person_by_name(self.unit.session, name)
        return [self._visible(person)] if person is not None and self._sees(person) else []

    def people(self, limit: int, cursor: str | None) -> Page[Person]:
        """List the people whom the caller may see, by id."""
        project = None if self._is_operator() else self.unit.caller.project
        rows = people_store.list_people(self.unit.session, project, decode_cursor(cursor, str), limit + 1)
        return build_page([self._visible(person) for person in rows], limit, lambda person: person.id)

    def deactivate(self, person_id: str) -> Person:
        """Deactivate a person: their keys, sessions and codes end at once, in every project. A second call changes nothing.

        Raises:
            NotFound: when there is no such person.
            Forbidden: for a person above the caller, or a member of other projects too without an operator's rights.
        """
        unit, person = self.unit, self._existing(person_id)
        require_not_above(unit.caller, person)
        projects = people_store.projects_of(unit.session, person_id)
        if not self._is_operator() and set(projects) - {unit.caller.project}:
            raise Forbidden("the person is a member of other projects too; end their membership here, or ask an operator")
        if person.deactivated_at is None:
            now = unit.clock()
            people_store.deactivate(unit.session, person_id, now)
            for project in projects:
                store.next_access_revision(unit.session, project)
            key_store.revoke_keys_of(unit.session, person_id, now)
            session_store.end_sessions(unit.session, person_id, now)
            session_store.end_codes(unit.session, person_id, now)
            self._record("person.deactivated", person_id, projects or [unit.caller.project], {})
        return self.get(person_id)

    def set_role(self, person_id: str, role: Role, project_name: str | None = None) -> Person:
        """Make a person a member of a project, or change their role there; it applies at once.

        Raises:
            NotFound: when there is no such person or project.
            Forbidden: for a person or a role above the caller.
        """
        unit, person, project = self.unit, self._existing(person_id), self._project(project_name)
        require_not_above(unit.caller, person)
        unit.caller.require_to_give(role)
        if person.deactivated_at is not None:
            raise InvalidRequest("the role cannot be given", [FieldError("person", "is deactivated")])
        if _role_in(person, project) is not role:
            store.next_access_revision(unit.session, project.id)
            people_store.set_role(unit.session, person_id, project.id, role, unit.clock())
            self._record("person.role_set", person_id, [project.id], {"role": role})
        return self.get(person_id)

    def remove_role(self, person_id: str, project_name: str | None = None) -> None:
        """End a person's membership in a project; their keys and sessions there end at once.

        Raises:
            NotFound: when there is no such person or project.
            Forbidden: for a person above the caller.
        """
        unit, person, project = self.unit, self._existing(person_id), self._project(project_name)
        require_not_above(unit.caller, person)
        if _role_in(person, project) is None:
            return
        now = unit.clock()
        store.next_access_revision(unit.session, project.id)
        people_store.remove_membership(unit.session, person_id, project.id)
        key_store.revoke_keys_of(unit.session, person_id, now, project.id)
        session_store.end_sessions(unit.session, person_id, now, project=project.id)
        session_store.end_codes(unit.session, person_id, now, project.id)
        self._record("person.role_removed", person_id, [project.id], {})

    def create_code(self, person_id: str) -> CreatedCode:
        """Create a code that signs a person in to the caller's project once, within ten minutes.

        Raises:
            NotFound: when there is no such person.
            Forbidden: for a person above the caller: who has the code can act as them.
            InvalidRequest: for a person who cannot sign in to the project.
        """
        unit, person = self.unit, self._existing(person_id)
        require_not_above(unit.caller, person)
        member = key_store.find_member(unit.session, person_id, unit.caller.project)
        if member is None or Scope.SESSION_OWN not in member.scopes:
            message = "cannot sign in to this project: they are deactivated, or have no role in it for people"
            raise InvalidRequest("the code cannot be created", [FieldError("person", message)])
        created = create_code(unit.session, person_id, unit.caller.project, unit.clock())
        audit.record_change(unit, "code.created", person_id)
        return created

    def _existing(self, person_id: str) -> Person:
        person = people_store.find_person(self.unit.session, person_id)
        if person is None or not self._sees(person):
            raise NotFound(f"there is no person '{person_id}'")
        return person

    def _sees(self, person: Person) -> bool:
        return self._is_operator() or any(each.project == self.unit.caller.project for each in person.memberships)

    def _visible(self, person: Person) -> Person:
        if self._is_operator():
            return person
        own = tuple(each for each in person.memberships if each.project == self.unit.caller.project)
        return replace(person, memberships=own)

    def _is_operator(self) -> bool:
        return self.unit.caller.has(Scope.PROJECT_MANAGE)

    def _project(self, name: str | None) -> Project:
        caller = self.unit.caller
        own = name is None or name == caller.project_name
        project = store.find_project(self.unit.session, caller.project_name if name is None else name)
        if project is None or not (own or self._is_operator()):
            raise NotFound(f"there is no project '{name}'")
        return project

    def _record(self, action: str, person: str, projects: list[int], detail: dict[str, str | None]) -> None:
        """Append the entry to the chain of each project that the change concerns."""
        change = Change(self.unit.caller.identity, action, person, dict(detail), self.unit.clock())
        for project in projects:
            audit.append_entry(self.unit.session, project, change)


def _role_in(person: Person, project: Project) -> Role | None:
    return next((each.role for each in person.memberships if each.project == project.id), None)
