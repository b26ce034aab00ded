"""Prompts made of prompts: references resolved when a version is registered, pinned, and followed backwards.

A mustache template includes a text prompt by `{{> support.tone}}` (its label `production`), `{{> support.tone@staging}}` or
`{{> support.tone@3}}`. The version that a reference means at that moment is pinned: its text becomes part of the content,
and so of the digest. A partial's own partials come along under `name@number`. Nothing that happens to the partial later
changes a version that includes it; `dependents` says who could take its newer version, `renewed` takes it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from promptuary.access.caller import Unit
from promptuary.prompt.content import Content, Message
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.errors import Fault, InvalidPrompt
from promptuary.prompt.faults import faults_of
from promptuary.prompt.mustache import references, renamed
from promptuary.prompt.name import is_name
from promptuary.prompt.variable import Variable
from promptuary.registry import store
from promptuary.registry.labels import DEFAULT_LABEL, LATEST, existing
from promptuary.registry.store import Dependent, Include, Prompt, Version

DEPTH_LIMIT = 8


@dataclass(frozen=True)
class Composed:
    """A content with its partials in it, and the versions that they were pinned to."""

    content: Content
    includes: tuple[Include, ...]


@dataclass(frozen=True)
class Offer:
    """A version that includes another prompt, and the newer version that its reference means by now, if it does."""

    dependent: Dependent
    offered: int | None


class _Unresolved(Exception):
    """Why a reference leads nowhere."""


def compose(unit: Unit, name: str, content: Content) -> Composed:
    """Resolve and pin what a content's templates include.

    Args:
        unit: the transaction; what is pinned is read in it.
        name: the prompt that the content is for, which may not include itself, however far round.
        content: as the author wrote it, without partials.

    Raises:
        InvalidPrompt: with a fault for each reference that means no version, or one that cannot be included.
    """
    found: dict[str, Version] = {}
    faults: list[Fault] = []
    for path, reference in _references(content):
        if reference in found:
            continue
        try:
            found[reference] = _resolve(unit, name, reference)
        except _Unresolved as error:
            faults.append(Fault(path, f"{{{{> {reference}}}}}: {error}"))
    if faults:
        raise InvalidPrompt("the prompt includes what cannot be included", faults)
    if not found:
        return Composed(content, ())
    partials: dict[str, str] = {}
    declared: dict[str, Variable] = {}
    for reference, version in found.items():
        partials |= _flattened(reference, version)
        for variable, said in content_from_json(version.content).variables.items():
            if variable in content.variables:
                continue
            if declared.setdefault(variable, said) != said:
                faults.append(Fault(f"variables.{variable}", "is declared differently by two partials; declare it here"))
    if faults:
        raise InvalidPrompt("the prompt includes what cannot be included", faults)
    body = {**dict(content), "partials": partials, "variables": {**declared, **content.variables}}
    try:
        whole = Content.model_validate(body)
    except ValidationError as error:
        raise InvalidPrompt("the prompt with its partials cannot be used", faults_of(error)) from None
    includes = tuple(
        Include(version.id, reference, version.prompt, version.number, version.digest)
        for reference, version in sorted(found.items())
    )
    return Composed(whole, includes)


def as_written(unit: Unit, version: Version) -> Content:
    """Give a version's content as its author wrote it: without partials, and without the variables that they brought.

    A variable that the author declared just as a partial does is taken for the partial's.
    """
    content = content_from_json(version.content)
    brought: dict[str, list[Variable]] = {}
    for include in version.includes:
        prompt = existing(unit, include.name)
        partial = store.version(unit.session, prompt, include.version)
        assert partial is not None  # nothing is ever deleted
        for name, said in content_from_json(partial.content).variables.items():
            brought.setdefault(name, []).append(said)
    own = {name: said for name, said in content.variables.items() if said not in brought.get(name, ())}
    return content.model_copy(update={"partials": {}, "variables": own})


def offers(unit: Unit, name: str) -> list[Offer]:
    """List the versions in use that include a prompt, each with the version that its reference means now, if another.

    Raises:
        NotFound: for an unknown prompt.
    """
    listed = store.dependents(unit.session, existing(unit, name))
    return [Offer(dependent, _newer(unit, dependent)) for dependent in listed]


def _newer(unit: Unit, dependent: Dependent) -> int | None:
    try:
        now = _resolve(unit, dependent.prompt, dependent.reference).number
    except _Unresolved:
        return None
    return now if now != dependent.pinned else None


def _references(content: Content) -> list[tuple[str, str]]:
    """List a content's references with the place of the first use of each; only mustache has any."""
    if content.format != "mustache":
        return []
    if isinstance(content.template, str):
        sources = [("template", content.template)]
    else:
        sources = [
            (f"template.{at}.content", message.content)
            for at, message in enumerate(content.template)
            if isinstance(message, Message)
        ]
    if content.context:
        sources.append(("context.query", content.context.query))
        sources += [(f"context.turns.{at}.content", turn.content) for at, turn in enumerate(content.context.turns or ())]
    found = []
    for path, source in sources:
        with suppress(InvalidPrompt):  # what does not parse is told with all else that is wrong, when the content is prepared
            found += [(path, reference) for reference in references(source)]
    return found


def _resolve(unit: Unit, name: str, reference: str) -> Version:
    """Find the version that a reference means now, and check that `name` may include it."""
    included, at, selector = reference.partition("@")
    if not is_name(included) or (at and not (is_name(selector) or selector.isdecimal())):
        raise _Unresolved("is no reference; write a prompt's name, name@label or name@number")
    prompt = store.prompt(unit.session, unit.caller.project, included)
    if prompt is None or prompt.archived_at is not None:
        raise _Unresolved(f"there is no prompt '{included}'" if prompt is None else f"the prompt '{included}' is archived")
    number = _number(prompt, selector or DEFAULT_LABEL)
    version = store.version(unit.session, prompt, number) if number <= prompt.newest else None
    if version is None:
        raise _Unresolved(f"'{included}' has no version {number}; its newest is {prompt.newest}")
    if version.content["type"] != "text" or version.content["format"] != "mustache" or version.content["context"]:
        raise _Unresolved("only a text prompt in mustache, without a context, can be included")
    _check_rings(unit, name, version)
    return version


def _number(prompt: Prompt, selector: str) -> int:
    if selector.isdecimal():
        return int(selector) if len(selector) < 10 else prompt.newest + 1
    if selector == LATEST:
        return prompt.newest
    if selector in prompt.splits:
        raise _Unresolved(f"the label '{selector}' of '{prompt.name}' is split; name a version")
    if selector not in prompt.labels:
        known = ", ".join(prompt.labels) or "none"
        raise _Unresolved(f"'{prompt.name}' has no label '{selector}'; its labels are: {known}")
    return prompt.labels[selector]


def _check_rings(unit: Unit, name: str, version: Version) -> None:
    """Follow the pinned includes down, level by level; refuse the prompt itself among them, and too many levels."""
    level, names = {version.id}, {version.prompt}
    for _ in range(DEPTH_LIMIT):
        if name in names:
            way = "" if version.prompt == name else f" by way of '{version.prompt}'"
            raise _Unresolved(f"the prompt would include itself{way}")
        below = [include for included in store.includes_of(unit.session, tuple(level)).values() for include in included]
        if not below:
            return
        level, names = {include.id for include in below}, {include.name for include in below}
    raise _Unresolved(f"partials are nested more than {DEPTH_LIMIT} deep")


def _flattened(reference: str, version: Version) -> dict[str, str]:
    """Give a version's text under the reference, and its own partials under `name@number`, with its text naming them so."""
    content: Mapping[str, Any] = version.content
    names = {include.reference: f"{include.name}@{include.version}" for include in version.includes}
    own = {names.get(key, key): source for key, source in content["partials"].items()}
    return {reference: renamed(content["template"], names), **own}
