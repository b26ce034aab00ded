"""The rule that nobody acts on, or as, a person who may do more than they themselves."""

from promptuary.access.people.store import Person
from promptuary.access.role import SCOPES, Role, Scope
from promptuary.access.unit_of_work import Caller
from promptuary.core.errors import Forbidden


def require_not_above(caller: Caller, person: Person) -> None:
    """Check that a person has no role, in any project, with a scope that the caller lacks.

    Raises:
        Forbidden: without the name of a project.
    """
    for membership in person.memberships:
        if SCOPES[membership.role] - caller.scopes:
            raise Forbidden(f"{person.name} has a role above yours, so you cannot act on their account")


def require_role(caller: Caller, role: Role) -> None:
    """Check that the caller may give a role.

    Raises:
        Forbidden: for a role with a scope that the caller lacks.
    """
    if role is Role.OPERATOR and not caller.has(Scope.PROJECT_MANAGE):
        raise Forbidden("only an operator makes operators")
    missing = SCOPES[role] - caller.scopes
    if missing:
        raise Forbidden(f"you cannot give what you do not have: {', '.join(sorted(missing))}")
