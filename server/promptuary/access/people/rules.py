"""The rule that nobody acts on, or as, a person who may do more than they themselves."""

from promptuary.access.people.store import Person
from promptuary.access.role import SCOPES
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
