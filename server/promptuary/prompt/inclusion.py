"""Prompts made of prompts, as values: what a content refers to, and what it is with that put in.

The registry resolves references against what it holds (`registry.composition`); whoever knows the versions otherwise, such as
the plan for a folder of files, puts them together by the same rules and gets the same digest.
"""

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from promptuary.prompt.content import Content, Message
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.name import DEFAULT_LABEL, LATEST, is_name
from promptuary.prompt.templates.mustache import partial_names as references_in
from promptuary.prompt.templates.mustache import rename_partials
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.prompt.variables import Variable

CANNOT_INCLUDE = "the prompt includes what cannot be included"


class UnresolvedReference(Exception):
    """Why a reference leads nowhere; the text completes a sentence that begins with the reference."""


@dataclass(frozen=True)
class IncludedVersion:
    """A version that a reference means; `pinned` says which `name@number` each reference in it stands for."""

    name: str
    version: int
    content: Content
    pinned: Mapping[str, str] = field(default_factory=dict)

    def as_partials(self, reference: str) -> dict[str, str]:
        """Give its text under the reference, and its own partials under `name@number`, with its text naming them so."""
        assert isinstance(self.content.template, str)  # `refuse_unincludable` let it pass
        own = {self.pinned.get(key, key): source for key, source in self.content.partials.items()}
        return {reference: rename_partials(self.content.template, self.pinned), **own}

    def names(self) -> set[str]:
        """Name every prompt that is in it, itself too."""
        return {self.name, *(key.partition("@")[0] for key in self.content.partials)}


def content_references(content: Content) -> list[tuple[str, str]]:
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
    found: dict[str, str] = {}
    for path, source in sources:
        with suppress(InvalidPrompt):  # what does not parse is told with all else that is wrong, when the content is prepared
            for reference in references_in(source):
                found.setdefault(reference, path)
    return [(path, reference) for reference, path in found.items()]


def read_reference(reference: str) -> tuple[str, str]:
    """Give the name of a reference, and its label or number, which is empty where it says none.

    Raises:
        Unresolved: when it is no reference.
    """
    name, at, selector = reference.partition("@")
    if not is_name(name) or (at and not (is_name(selector) or selector.isdecimal())):
        raise UnresolvedReference("is no reference; write a prompt's name, name@label or name@number")
    return name, selector


def resolve_number(name: str, selector: str, newest: int, labels: Mapping[str, int], split: Container[str]) -> int:
    """Give the number that a reference to a prompt means, from what is known of the prompt.

    Args:
        name: the prompt's name, for the sentence.
        selector: the reference's label or number; empty for `production`.
        newest: the number of its newest version.
        labels: where its labels point.
        split: which of them are split.

    Raises:
        Unresolved: when it means no version.
    """
    label = selector or DEFAULT_LABEL
    if label.isdecimal():
        number = int(label) if len(label) < 10 else newest + 1
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
    """Refuse a content that cannot be part of another.

    Raises:
        Unresolved: saying what can.
    """
    if content.type != "text" or content.format != "mustache" or content.context:
        raise UnresolvedReference("only a text prompt in mustache, without a context, can be included")


def compose(content: Content, found: Mapping[str, IncludedVersion]) -> Content:
    """Put what a content refers to into it.

    Args:
        content: as the author wrote it, without partials.
        found: the version that each of its references means.

    Raises:
        InvalidPrompt: when partials declare one variable differently, or the whole is too large.
    """
    if not found:
        return content
    partials: dict[str, str] = {}
    declared: dict[str, Variable] = {}
    field_errors: list[FieldError] = []
    for reference, version in found.items():
        partials |= version.as_partials(reference)
        for variable, said in version.content.variables.items():
            if variable in content.variables:
                continue
            if declared.setdefault(variable, said) != said:
                field_errors.append(
                    FieldError(f"variables.{variable}", "is declared differently by two partials; declare it here")
                )
    if field_errors:
        raise InvalidPrompt(CANNOT_INCLUDE, field_errors)
    body = {**dict(content), "partials": partials, "variables": {**declared, **content.variables}}
    try:
        return Content.model_validate(body)
    except ValidationError as error:
        raise InvalidPrompt("the prompt with its partials cannot be used", field_errors_from(error)) from None


def without_partials(content: Content, brought: Iterable[Mapping[str, Variable]]) -> Content:
    """Give a composed content as its author wrote it: without partials, and without the variables that they brought.

    A variable that the author declared just as a partial does is taken for the partial's.

    Args:
        content: with its partials.
        brought: the variables of each version that it includes.
    """
    said_there: dict[str, list[Variable]] = {}
    for variables in brought:
        for name, said in variables.items():
            said_there.setdefault(name, []).append(said)
    own = {name: said for name, said in content.variables.items() if said not in said_there.get(name, ())}
    return content.model_copy(update={"partials": {}, "variables": own})
