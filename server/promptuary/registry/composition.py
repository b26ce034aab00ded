"""The resolution of included prompts: references are pinned to versions when a version is registered.

A mustache template includes a text prompt by `{{> support.tone}}` (its label `production`), `{{> support.tone@staging}}` or
`{{> support.tone@3}}`. The reference is pinned to the version that it means at that time: the version's text becomes part of
the content, and so of the digest. The partials of a partial are added under `name@number`. A later change of the partial does
not change the versions that include it; `include_updates` lists those that could take a newer version.
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
from promptuary.registry import store, version_store
from promptuary.registry.labels import require_prompt
from promptuary.registry.version_store import Dependent, Include, Version, refuse_erased

DEPTH_LIMIT = 8


@dataclass(frozen=True)
class ComposedContent:
    """A content with its partials, and the versions to which they are pinned."""

    content: Content
    includes: tuple[Include, ...]


@dataclass(frozen=True)
class IncludeUpdate:
    """A version that includes another prompt, and the newer version that its reference means now; None without one."""

    dependent: Dependent
    offered: int | None


def compose(unit: UnitOfWork, name: str, content: Content) -> ComposedContent:
    """Resolve and pin the references of a content.

    Args:
        unit: the transaction in which the included versions are read.
        name: the prompt of the content; it may not include itself, directly or through another prompt.
        content: the author's content, without partials.

    Raises:
        InvalidPrompt: with an error for each reference to no version, or to one that cannot be included.
    """
    versions: dict[str, Version] = {}
    field_errors: list[FieldError] = []
    for path, reference in content_references(content):
        try:
            versions[reference] = _resolve(unit, name, reference)
        except UnresolvedReference as error:
            field_errors.append(FieldError(path, f"{{{{> {reference}}}}}: {error}"))
    if field_errors:
        raise InvalidPrompt(CANNOT_INCLUDE, field_errors)
    composed = inclusion.compose(content, {reference: includable(version) for reference, version in versions.items()})
    includes = tuple(
        Include(version.id, reference, version.prompt, version.number, version.digest)
        for reference, version in sorted(versions.items())
    )
    return ComposedContent(composed, includes)


def includable(version: Version) -> IncludedVersion:
    """Return a version in the form in which others include it."""
    pinned = {include.reference: f"{include.name}@{include.version}" for include in version.includes}
    return IncludedVersion(version.prompt, version.number, content_from_json(version.content), pinned)


def authored_content(unit: UnitOfWork, version: Version) -> Content:
    """Return a version's content without its partials and without the variables that they declared."""
    partial_variables = []
    for include in version.includes:
        partial = version_store.find_version(unit.session, require_prompt(unit, include.name), include.version)
        assert partial is not None  # a version is never deleted
        refuse_erased(partial)
        partial_variables.append(content_from_json(partial.content).variables)
    return inclusion.without_partials(content_from_json(version.content), partial_variables)


def include_updates(unit: UnitOfWork, name: str) -> list[IncludeUpdate]:
    """Return the versions in use that include a prompt, each with the newer version that its reference means now.

    Raises:
        NotFound: for an unknown prompt.
    """
    dependents = version_store.list_dependents(unit.session, require_prompt(unit, name))
    return [IncludeUpdate(dependent, _newer_version(unit, dependent)) for dependent in dependents]


def _newer_version(unit: UnitOfWork, dependent: Dependent) -> int | None:
    try:
        number = _resolve(unit, dependent.prompt, dependent.reference).number
    except UnresolvedReference:
        return None
    return number if number != dependent.pinned else None


def _resolve(unit: UnitOfWork, name: str, reference: str) -> Version:
    """Return the version that a reference means now, if the prompt `name` may include it."""
    included_name, selector = read_reference(reference)
    prompt = store.find_prompt(unit.session, unit.caller.project, included_name)
    if prompt is None:
        raise UnresolvedReference(f"there is no prompt '{included_name}'")
    if prompt.archived_at is not None:
        raise UnresolvedReference(f"the prompt '{included_name}' is archived")
    number = resolve_number(included_name, selector, prompt.newest, prompt.labels, prompt.splits)
    version = version_store.find_version(unit.session, prompt, number)
    assert version is not None  # numbers have no gap
    if version.erased_at is not None:
        raise UnresolvedReference(f"version {number} of '{included_name}' was erased")
    refuse_unincludable(content_from_json(version.content))
    _refuse_cycles(unit, name, version)
    return version


def _refuse_cycles(unit: UnitOfWork, name: str, version: Version) -> None:
    """Follow the pinned includes level by level; refuse the prompt itself among them, and too many levels."""
    level, names = {version.id}, {version.prompt}
    for _ in range(DEPTH_LIMIT):
        if name in names:
            way = "" if version.prompt == name else f" by way of '{version.prompt}'"
            raise UnresolvedReference(f"the prompt would include itself{way}")
        includes_by_version = version_store.includes_of(unit.session, tuple(level))
        next_level = [include for includes in includes_by_version.values() for include in includes]
        if not next_level:
            return
        level, names = {include.id for include in next_level}, {include.name for include in next_level}
    raise UnresolvedReference(f"partials are nested more than {DEPTH_LIMIT} deep")
