"""Prompts that include prompts: the references of a content, and the content with its partials.

The registry resolves references against its versions (`registry.composition`). A caller that knows the versions from elsewhere,
such as the plan for a folder of files, composes them by the same rules and gets the same digest.
"""

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.name import DEFAULT_LABEL, LATEST, is_name
from promptuary.prompt.numbers import parse_version_number
from promptuary.prompt.templates.mustache import partial_names as references_in
from promptuary.prompt.templates.mustache import rename_partials
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.prompt.variables import Variable

CANNOT_INCLUDE = "the prompt includes what cannot be included"


class UnresolvedReference(Exception):
    """A reference cannot be resolved; the message is the rest of a sentence that begins with the reference."""


@dataclass(frozen=True)
class IncludedVersion:
    """A version that a reference resolves to.

    Attributes:
        name: its prompt.
        version: its number.
        content: its content.
        pinned: the `name@number` of each reference in it, by reference.
    """

    name: str
    version: int
    content: Content
    pinned: Mapping[str, str] = field(default_factory=dict)

    def as_partials(self, reference: str) -> dict[str, str]:
        """Return its text by the reference, and its own partials by `name@number`, with its text naming them so."""
        assert isinstance(self.content.template, str)  # as `refuse_unincludable` checks
        partials = {self.pinned.get(key, key): source for key, source in self.content.partials.items()}
        return {reference: rename_partials(self.content.template, self.pinned), **partials}

    def names(self) -> set[str]:
        """Return the names of all prompts in it, and its own."""
        return {self.name, *(key.partition("@")[0] for key in self.content.partials)}


def content_references(content: Content) -> list[tuple[str, str]]:
    """Return the references of a content, each with the path of its first use; only mustache has references."""
    if content.format != "mustache":
        return []
    sources = content.sources()
    if content.context:
        sources = [*sources, ("context.query", content.context.query), *content.context.turn_sources()]
    paths: dict[str, str] = {}
    for path, source in sources:
        with suppress(InvalidPrompt):  # which preparing the content reports, with every other error
            for reference in references_in(source):
                paths.setdefault(reference, path)
    return [(path, reference) for reference, path in paths.items()]


def read_reference(reference: str) -> tuple[str, str]:
    """Return the name of a reference, and its label or number, which is empty where it has none.

    Raises:
        UnresolvedReference: the text is not a reference.
    """
    name, at, selector = reference.partition("@")
    if not is_name(name) or (at and not is_name(selector)):
        raise UnresolvedReference("is not a reference; write a prompt's name, name@label or name@number")
    return name, selector


def resolve_number(name: str, selector: str, newest: int, labels: Mapping[str, int], split: Container[str]) -> int:
    """Return the version number that a reference resolves to.

    Args:
        name: the prompt's name, for the message.
        selector: the reference's label or number; empty for `production`.
        newest: the number of its newest version.
        labels: the versions of its labels.
        split: the labels that are split.

    Raises:
        UnresolvedReference: there is no such version.
    """
    label = selector or DEFAULT_LABEL
    if label.isdecimal():
        number = parse_version_number(label) or newest + 1
    elif label == LATEST:
        number = newest
    elif label in split:
        raise UnresolvedReference(f"the label '{label}' of '{name}' is split; name a version")
    elif label not in labels:
        raise UnresolvedReference(f"'{name}' has no label '{label}'; its labels are: {', '.join(labels) or 'none'}")
    else:
        number = labels[label]
    if not 1 <= number <= newest:
        raise UnresolvedReference(f"'{name}' has no version {number}; its newest is {newest}")
    return number


def refuse_unincludable(content: Content) -> None:
    """Refuse a content that cannot be included in another.

    Raises:
        UnresolvedReference: the message states which contents can.
    """
    if content.type != "text" or content.format != "mustache" or content.context:
        raise UnresolvedReference("only a text prompt in mustache, without a context, can be included")


def compose(content: Content, included: Mapping[str, IncludedVersion]) -> Content:
    """Return a content with the prompts that it includes.

    Args:
        content: as the author wrote it, without partials.
        included: the version that each of its references resolves to.

    Raises:
        InvalidPrompt: partials declare one variable differently, or the result is too large.
    """
    if not included:
        return content
    partials: dict[str, str] = {}
    declared: dict[str, Variable] = {}
    field_errors: list[FieldError] = []
    for reference, version in included.items():
        partials |= version.as_partials(reference)
        for name, variable in version.content.variables.items():
            if name in content.variables:
                continue
            if not _is_same(declared.setdefault(name, variable), variable):
                field_errors.append(FieldError(f"variables.{name}", "is declared differently by two partials; declare it here"))
    if field_errors:
        raise InvalidPrompt(CANNOT_INCLUDE, field_errors)
    body = {**dict(content), "partials": partials, "variables": {**declared, **content.variables}}
    try:
        return Content.model_validate(body)
    except ValidationError as error:
        raise InvalidPrompt("the prompt with its partials cannot be used", field_errors_from(error)) from None


def without_partials(content: Content, included_variables: Iterable[Mapping[str, Variable]]) -> Content:
    """Return a composed content as its author wrote it: without partials, and without the variables of the partials.

    A variable that the author declared exactly as a partial does counts as the partial's.

    Args:
        content: with its partials.
        included_variables: the variables of each version that it includes.
    """
    declarations: dict[str, list[Variable]] = {}
    for variables in included_variables:
        for name, variable in variables.items():
            declarations.setdefault(name, []).append(variable)
    own = {
        name: variable
        for name, variable in content.variables.items()
        if not any(_is_same(variable, declared) for declared in declarations.get(name, ()))
    }
    return content.model_copy(update={"partials": {}, "variables": own})


def _is_same(left: Variable, right: Variable) -> bool:
    """Return whether two declarations are the same, the order and the numbers of their defaults included."""
    return left == right and canonical_json(InOrder(left.default)) == canonical_json(InOrder(right.default))
