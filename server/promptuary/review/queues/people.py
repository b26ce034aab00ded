"""The people and services that a queue names: given by name or identity, stored by identity."""

from collections.abc import Iterator, Sequence

from promptuary.access.identity import is_identity, key_display_name, person_identity, service_identity
from promptuary.access.keys import store as key_store
from promptuary.access.people import store as people_store
from promptuary.access.role import SCOPES, Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest

_BATCH = 500


def resolve_identities(unit: UnitOfWork, names: Sequence[str], scope: Scope, path: str) -> tuple[str, ...]:
    """Return the identity of each name, once.

    Args:
        unit: the caller's unit of work, whose project the people must be in.
        names: identities, names of people, or names of service keys, with or without `key:`.
        scope: what they must be allowed to do.
        path: the request's field, for the errors.

    Raises:
        InvalidRequest: with every name that is nobody's or several ones', and everyone who may not do this.
    """
    errors = []
    identities: dict[str, None] = {}
    for number, name in enumerate(names):
        candidates = dict(_candidates(unit, name))
        if len(candidates) == 1 and scope in next(iter(candidates.values())):
            identities |= dict.fromkeys(candidates)
            continue
        reason = "is nobody in this project"
        if candidates:
            ambiguous = f"is the name of several: {', '.join(sorted(candidates))}; send the identity"
            reason = ambiguous if len(candidates) > 1 else f"lacks the scope '{scope}'"
        errors.append(FieldError(f"{path}.{number}", f"'{name}' {reason}"))
    if errors:
        raise InvalidRequest("the queue names people who cannot be reviewers or adjudicators of it", errors)
    return tuple(identities)


def _candidates(unit: UnitOfWork, name: str) -> Iterator[tuple[str, frozenset[Scope]]]:
    project = unit.caller.project
    kind, _, number = name.partition(":")
    if is_identity(name) and kind == "person":
        person = people_store.find_person(unit.session, number)
    else:
        person = people_store.find_person_by_name(unit.session, name)
    if person is not None and person.deactivated_at is None:
        yield from ((person_identity(person.id), SCOPES[each.role]) for each in person.memberships if each.project == project)
    after = None
    now = unit.clock()
    while keys := key_store.list_keys(unit.session, project, after, _BATCH):
        after = keys[-1].id
        for key in keys:
            names = (key.name, key_display_name(key.name), service_identity(key.id))
            if key.person is None and key.is_active(now) and name in names:
                yield service_identity(key.id), key.scopes
