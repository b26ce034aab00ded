"""How a content is prepared: every template is parsed, and the parts of the content are checked against each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.content import Content, Format, Placeholder
from promptuary.prompt.digest import content_from_json, noncanonical_parts
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.messages.message import Message
from promptuary.prompt.messages.values import message_errors, resembles_message
from promptuary.prompt.templates import fstring, mustache, simple
from promptuary.prompt.templates.jinja import parser as jinja
from promptuary.prompt.templates.message_templates import (
    AnyMessageTemplate,
    MessageTemplate,
    image_url_errors,
    message_template,
)
from promptuary.prompt.templates.plain_names import plain_names
from promptuary.prompt.templates.prepared import PASSAGE_MEMBERS, PreparedPrompt, passages_schema
from promptuary.prompt.templates.tree import Node
from promptuary.prompt.templates.used_names import used_names
from promptuary.prompt.variables import Variable

_Parse = Callable[[str, str], tuple[Node, ...]]
_PARSERS: dict[Format, _Parse] = {
    "mustache": mustache.parse,
    "simple": simple.parse,
    "f-string": fstring.parse,
    "jinja2": jinja.parse,
}


def parser_of(format_: Format) -> Callable[[str, str], tuple[Node, ...]]:
    """Return the parser of a format: it takes a source and its path in the content."""
    return _PARSERS[format_]


def prepare(content: Content, *, resolved: bool = True, jinja2: bool = False) -> PreparedPrompt:
    """Parse a content's templates and check that its parts fit each other.

    Args:
        content: the content.
        resolved: False where partials may still be missing because the registry will include them. The result can then be
            checked, but not rendered.
        jinja2: whether the format `jinja2` is enabled: an operator enables it on a server, an application by installing the
            library.

    Raises:
        InvalidPrompt: with every error: a template that does not parse, a missing partial, a format that is not enabled, a
            variable that is declared and never used, a context that fills nothing.
    """
    if content.format == "jinja2":
        if not jinja2:
            message = "jinja2 is off here; use mustache, simple or f-string, or have the operator set PROMPTUARY_JINJA2=true"
            raise InvalidPrompt("the prompt cannot be used", [FieldError("format", message)])
        jinja.require_jinja2()
    preparation = _Preparation(content, resolved=resolved)
    templates = preparation.parse()
    preparation.field_errors += noncanonical_parts(content)
    variables = preparation.variables(preparation.check(templates))
    if preparation.field_errors:
        raise InvalidPrompt("the prompt cannot be used", preparation.field_errors)
    return PreparedPrompt(content, templates.parts, templates.query, templates.turns, templates.trees, variables)


@dataclass(frozen=True)
class _Templates:
    """The parsed templates of a content."""

    parts: tuple[AnyMessageTemplate | Placeholder, ...]
    query: tuple[Node, ...]
    turns: tuple[AnyMessageTemplate, ...]
    trees: Mapping[str, tuple[Node, ...]]


@dataclass(frozen=True)
class _ContentNames:
    """The variables of a content by its templates, and the partials that are missing."""

    required: Sequence[str]
    optional: Sequence[str]
    everywhere: frozenset[str]
    missing: Sequence[str]


class _Preparation:
    """One check of a content; it collects every error."""

    def __init__(self, content: Content, *, resolved: bool) -> None:
        self.content = content
        self.resolved = resolved
        self.field_errors: list[FieldError] = []

    def parse(self) -> _Templates:
        """Parse every template; one that does not parse is empty."""
        content, binding = self.content, self.content.context
        parse = _PARSERS[content.format]
        if isinstance(content.template, str):
            parts: tuple[AnyMessageTemplate | Placeholder, ...] = (
                MessageTemplate("user", self._parse(content.template, "template", parse)),
            )
        else:
            parts = tuple(
                self._message(part, f"template.{number}", parse) if isinstance(part, Message) else part
                for number, part in enumerate(content.template)
            )
        query = self._parse(binding.query, "context.query", mustache.parse) if binding else ()
        turns = tuple(
            self._message(turn, f"context.turns.{number}", mustache.parse)
            for number, turn in enumerate((binding and binding.turns) or ())
        )
        trees = {name: self._parse(source, f"partials.{name}", mustache.parse) for name, source in content.partials.items()}
        return _Templates(parts, query, turns, trees)

    def _message(self, message: Message, path: str, parse: _Parse) -> AnyMessageTemplate:
        template = message_template(message, path, lambda source, field_path: self._parse(source, field_path, parse))
        self.field_errors += image_url_errors(template)
        return template

    def _parse(self, source: str, path: str, parse: _Parse) -> tuple[Node, ...]:
        try:
            return parse(source, path)
        except InvalidPrompt as error:
            self.field_errors.extend(error.field_errors)
            return ()

    def check(self, templates: _Templates) -> _ContentNames:
        """Collect the names that templates, placeholders and the query use, and check partials, context and placeholders."""
        nodes = [node for part in templates.parts if not isinstance(part, Placeholder) for node in part.nodes]
        binding = self.content.context
        schemas = self.content.variables if binding is None else {**self.content.variables, binding.into: passages_schema()}
        names = used_names([*nodes, *templates.query], templates.trees, schemas)
        turn_names = used_names([node for turn in templates.turns for node in turn.nodes], templates.trees, schemas)
        placeholders = self.content.placeholders()
        missing = sorted((names.partials | turn_names.partials) - self.content.partials.keys())
        if self.resolved:
            for name in missing:
                self._add_error("template", f"{{{{> {name}}}}}: the prompt has no partial of that name")
        self._check_context(names.variables | set(placeholders), complete=self.resolved or not missing)
        self._check_placeholders(placeholders)
        return _ContentNames(
            required=[*sorted(names.values), *(name for name in placeholders if name not in names.values)],
            optional=sorted(names.sections | names.inner | (turn_names.variables - PASSAGE_MEMBERS)),
            everywhere=names.everywhere | turn_names.everywhere | set(placeholders),
            missing=missing,
        )

    def _check_context(self, names: frozenset[str], *, complete: bool) -> None:
        """Check the context binding against the names of the template; `complete` if no partial is missing."""
        binding = self.content.context
        if binding is None:
            return
        if binding.into not in names and complete:
            self._add_error("context.into", f"nothing in the template is named '{binding.into}'")
        if binding.into in self.content.placeholders() and not binding.turns:
            self._add_error("context.turns", f"'{binding.into}' is a placeholder: add the messages that a passage becomes")
        if binding.into in self.content.variables:
            self._add_error(f"variables.{binding.into}", "is filled by the context and cannot be a variable too")

    def _check_placeholders(self, placeholders: Sequence[str]) -> None:
        for name in placeholders:
            variable = self.content.variables.get(name, Variable())
            if variable.type not in (None, "array"):
                self._add_error(f"variables.{name}", "is a placeholder, so its type is array")
            default = variable.default
            if default is None:
                continue
            if isinstance(default, list) and all(map(resembles_message, default)):
                self.field_errors += message_errors(default, f"variables.{name}.default")
            else:
                self._add_error(f"variables.{name}", "is a placeholder, so its default is a list of messages: {role, content}")

    def variables(self, names: _ContentNames) -> dict[str, Variable]:
        """Return the variables, declared or only used; refuse one that is declared and never used."""
        declared = self.content.variables
        known = names.everywhere if self.resolved or not names.missing else names.everywhere | declared.keys()
        variables = {name: variable for name, variable in declared.items() if name in known}
        for name in declared:
            if name not in variables:
                self._add_error(f"variables.{name}", "is declared, but the prompt never uses it")
        placeholders = self.content.placeholders()
        for name in names.required:
            variables.setdefault(name, Variable(type="array" if name in placeholders else None))
        for name in names.optional:
            variables.setdefault(name, Variable(required=False))
        if self.content.context:
            variables.pop(self.content.context.into, None)
        return variables

    def _add_error(self, path: str, message: str) -> None:
        self.field_errors.append(FieldError(path, message))


def inferred_variables(stored: Mapping[str, Any]) -> dict[str, Variable]:
    """Return the variables that a registered content uses without declaring them; none where this installation cannot parse it.

    Lookups call it, so it leaves out what was checked when the content was registered: that every part has a canonical form.

    Args:
        stored: the content, as it is stored; parts that were not set are missing or null.
    """
    names = plain_names(stored)
    if names is not None:
        return {name: Variable() for name in sorted(names - (stored.get("variables") or {}).keys())}
    content = content_from_json(stored)
    preparation = _Preparation(content, resolved=True)
    try:
        if content.format == "jinja2":
            jinja.require_jinja2()
        variables = preparation.variables(preparation.check(preparation.parse()))
    except InvalidPrompt:
        return {}
    if preparation.field_errors:
        return {}
    return {name: variable for name, variable in variables.items() if name not in content.variables}
