"""Prompts made of prompts: references resolved when a version is registered, pinned, and followed backwards.

A mustache template includes a text prompt by `{{> support.tone}}` (its label `production`), `{{> support.tone@staging}}` or
`{{> support.tone@3}}`. The version that a reference means at that moment is pinned: its text becomes part of the content,
and so of the digest. A partial's own partials come along under `name@number`. Nothing that happens to the partial later
changes a version that includes it; `dependents` says who could take its newer version, `renewed` takes it.
"""

from dataclasses import dataclass

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.prompt import inclusion
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.inclusion import (
    CANNOT_INCLUDE,
    IncludedVersion,
    UnresolvedReference,
    content_references,
    read_reference,
    refuse_unincludable,
    resolve_number,
)
from promptuary.registry import store
from promptuary.registry.labels import require_prompt
from promptuary.registry.store import Dependent, Include, Version

DEPTH_LIMIT = 8


@dataclass(frozen=True)
class ComposedContent:
    """A content with its partials in it, and the versions that they were pinned to."""

    content: Content
    includes: tuple[Include, ...]


@dataclass(frozen=True)
class IncludeUpdate:
    """A version that includes another prompt, and the newer version that its reference means by now, if it does."""

    dependent: Dependent
    offered: int | None


def compose(unit: UnitOfWork, name: str, content: Content) -> ComposedContent:
    """Resolve and pin what a content's templates include.

    Args:
        unit: the transaction; what is pinned is read in it.
        name: the prompt that the content is for, which may not include itself, however far round.
        content: as the author wrote it, without partials.

    Raises:
        InvalidPrompt: with a fault for each reference that means no version, or one that cannot be included.
    """
    found: dict[str, Version] = {}
    field_errors: list[FieldError] = []
    for path, reference in content_references(content):
        try:
            found[reference] = _resolve(unit, name, reference)
        except UnresolvedReference as error:
            field_errors.append(FieldError(path, f"{{{{> {reference}}}}}: {error}"))
    if field_errors:
        raise InvalidPrompt(CANNOT_INCLUDE, field_errors)
    whole = inclusion.compose(content, {reference: includable(version) for reference, version in found.items()})
    includes = tuple(
        Include(version.id, reference, version.prompt, version.number, version.digest)
        for reference, version in sorted(found.items())
    )
    return ComposedContent(whole, includes)


def includable(version: Version) -> IncludedVersion:
    """Give a version as what it is to those who include it."""
    pinned = {include.reference: f"{include.name}@{include.version}" for include in version.includes}
    return IncludedVersion(version.prompt, version.number, content_from_json(version.content), pinned)


def authored_content(unit: UnitOfWork, version: Version) -> Content:
    """Give a version's content as its author wrote it, which `inclusion.as_written` says more of."""
    brought = []
    for include in version.includes:
        partial = store.version(unit.session, require_prompt(unit, include.name), include.version)
        assert partial is not None  # nothing is ever deleted
        brought.append(content_from_json(partial.content).variables)
    return inclusion.without_partials(content_from_json(version.content), brought)


def include_updates(unit: UnitOfWork, name: str) -> list[IncludeUpdate]:
    """List the versions in use that include a prompt, each with the version that its reference means now, if another.

    Raises:
        NotFound: for an unknown prompt.
    """
    listed = store.dependents(unit.session, require_prompt(unit, name))
    return [IncludeUpdate(dependent, _newer(unit, dependent)) for dependent in listed]


def _newer(unit: UnitOfWork, dependent: Dependent) -> int | None:
    try:
        now = _resolve(unit, dependent.prompt, dependent.reference).number
    except UnresolvedReference:
        return None
    return now if now != dependent.pinned else None


def _resolve(unit: UnitOfWork, name: str, reference: str) -> Version:
    """Find the version that a reference means now, and check that `name` may include it."""
    wanted, selector = read_reference(reference)
    prompt = store.prompt(unit.session, unit.caller.project, wanted)
    if prompt is None or prompt.archived_at is not None:
        raise UnresolvedReference(f"there is no prompt '{wanted}'" if prompt is None else f"the prompt '{wanted}' is archived")
    number = resolve_number(wanted, selector, prompt.newest, prompt.labels, prompt.splits)
    version = store.version(unit.session, prompt, number)
    assert version is not None  # numbers have no gap
    refuse_unincludable(content_from_json(version.content))
    _check_rings(unit, name, version)
    return version


def _check_rings(unit: UnitOfWork, name: str, version: Version) -> None:
    """Follow the pinned includes down, level by level; refuse the prompt itself among them, and too many levels."""
    level, names = {version.id}, {version.prompt}
    for _ in range(DEPTH_LIMIT):
        if name in names:
            way = "" if version.prompt == name else f" by way of '{version.prompt}'"
            raise UnresolvedReference(f"the prompt would include itself{way}")
        below = [include for included in store.includes_of(unit.session, tuple(level)).values() for include in included]
        if not below:
            return
        level, names = {include.id for include in below}, {include.name for include in below}
    raise UnresolvedReference(f"partials are nested more than {DEPTH_LIMIT} deep")
