"""A content parsed: every template a tree, every variable known, ready to render. Built once per version and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.content import Content, Format, Message, Placeholder
from promptuary.prompt.digest import noncanonical_parts
from promptuary.prompt.errors import FieldError, InvalidPrompt, InvalidVariables
from promptuary.prompt.templates import fstring, mustache
from promptuary.prompt.templates.jinja import parser as jinja
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Literal, Node, used_names
from promptuary.prompt.variables import Variable, validate_values

OUTPUT_LIMIT = 1024 * 1024
_PARSERS: dict[Format, Callable[[str, str], tuple[Node, ...]]] = {
    "mustache": mustache.parse,
    "f-string": fstring.parse,
    "jinja2": jinja.parse,
}


@dataclass(frozen=True)
class Passage:
    """A piece of a document that a query found: its text, how near it is (cosine, -1 to 1), and where it comes from."""

    text: str
    score: float
    collection: str
    document: str
    chunk: int
    digest: str
    metadata: Mapping[str, Any]

    def as_value(self) -> dict[str, Any]:
        """Give the passage as a template's section sees it."""
        return {"text": self.text, "score": self.score, "document": self.document, "metadata": dict(self.metadata)}


@dataclass(frozen=True)
class RenderedPrompt:
    """What goes to a model: `text` for a text prompt, else `messages` of `{"role", "content"}`; and the passages in it."""

    text: str | None
    messages: tuple[Mapping[str, str], ...] | None
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class MessageTemplate:
    """One chat message, its template parsed."""

    role: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class PreparedPrompt:
    """A content whose templates are parsed and whose variables, said or only used, are known."""

    content: Content
    parts: tuple[MessageTemplate | Placeholder, ...]
    query: tuple[Node, ...]
    turns: tuple[MessageTemplate, ...]
    trees: Mapping[str, tuple[Node, ...]]
    variables: Mapping[str, Variable]

    def query_text(self, values: Mapping[str, Any]) -> str:
        """Render the query of the context binding from the same values that the prompt takes."""
        return TemplateRenderer(OUTPUT_LIMIT, self.content.partials).render(self.query, validate_values(self.variables, values))

    def render(
        self, values: Mapping[str, Any], passages: Sequence[Passage] = (), *, limit: int = OUTPUT_LIMIT
    ) -> RenderedPrompt:
        """Render with checked values and the passages that were retrieved, the best first.

        Raises:
            InvalidVariables: for missing, unknown or wrongly typed values, or one that an expression cannot work on.
            RenderTooLarge: for more than `limit` characters in all, or too many steps.
        """
        full = validate_values(self.variables, values)
        renderer = TemplateRenderer(limit, self.content.partials)
        if self.content.context:
            full[self.content.context.into] = self._context_value(passages)
        messages: list[Mapping[str, str]] = []
        for part in self.parts:
            if isinstance(part, Placeholder):
                messages += self._placed(part.name, full, passages, renderer)
            else:
                messages.append({"role": part.role, "content": renderer.render(part.nodes, full)})
        if self.content.type == "text":
            return RenderedPrompt(text=messages[0]["content"], messages=None, passages=tuple(passages))
        return RenderedPrompt(text=None, messages=tuple(messages), passages=tuple(passages))

    def _context_value(self, passages: Sequence[Passage]) -> Any:
        """Give a list where the template goes through it, else the texts in one."""
        binding = self.content.context
        if binding and any(
            binding.into in used_names(part.nodes, self.trees).lists for part in self.parts if isinstance(part, MessageTemplate)
        ):
            return [passage.as_value() for passage in passages]
        return "\n\n".join(passage.text for passage in passages)

    def _placed(
        self, name: str, values: Mapping[str, Any], passages: Sequence[Passage], renderer: TemplateRenderer
    ) -> list[Mapping[str, str]]:
        binding = self.content.context
        if binding and binding.into == name:
            return [
                {"role": turn.role, "content": renderer.render(turn.nodes, {**values, **passage.as_value()})}
                for passage in reversed(passages)
                for turn in self.turns
            ]
        given = values.get(name) or []
        if not isinstance(given, list | tuple):
            fault = FieldError(name, "must be a list of messages")
            raise InvalidVariables("the variables do not fit the prompt", [fault])
        return [_message(name, number, item, renderer) for number, item in enumerate(given)]


def _message(name: str, number: int, item: Any, renderer: TemplateRenderer) -> Mapping[str, str]:
    if not _is_message(item):
        fault = FieldError(f"{name}.{number}", "must be a message: {role, content}")
        raise InvalidVariables("the variables do not fit the prompt", [fault])
    return {"role": item["role"], "content": renderer.render([Literal(item["content"])], {})}


def _messages(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_message, value))


def _is_message(item: Any) -> bool:
    match item:
        case {"role": "system" | "user" | "assistant" | "tool", "content": str(), **rest}:
            return not rest
    return False


def prepare(content: Content, *, resolved: bool = True, jinja2: bool = False) -> PreparedPrompt:
    """Parse a content and check that its parts fit each other.

    Args:
        content: what is to be rendered.
        resolved: False where partials may still be missing, because the registry will put them in: what is given can be
            checked, but not rendered.
        jinja2: whether the format `jinja2` is taken here: an operator turns it on for a server, an application by installing
            the library.

    Raises:
        InvalidPrompt: with every fault: a template that does not parse, a partial or format that is not taken, a variable
            declared and never used, a context that fills nothing.
    """
    parse = _PARSERS[content.format]
    if content.format == "jinja2":
        if not jinja2:
            said = "jinja2 is off here; use mustache or f-string, or have the operator set PROMPTUARY_JINJA2=true"
            raise InvalidPrompt("the prompt cannot be used", [FieldError("format", said)])
        jinja.require_jinja2()
    field_errors: list[FieldError] = []

    def parsed(source: str, path: str, how: Callable[[str, str], tuple[Node, ...]] = parse) -> tuple[Node, ...]:
        try:
            return how(source, path)
        except InvalidPrompt as error:
            field_errors.extend(error.field_errors)
            return ()

    if isinstance(content.template, str):
        parts: tuple[MessageTemplate | Placeholder, ...] = (MessageTemplate("user", parsed(content.template, "template")),)
    else:
        parts = tuple(
            MessageTemplate(part.role, parsed(part.content, f"template.{number}.content"))
            if isinstance(part, Message)
            else part
            for number, part in enumerate(content.template)
        )
    binding = content.context
    query = parsed(binding.query, "context.query", mustache.parse) if binding else ()
    turns = tuple(
        MessageTemplate(turn.role, parsed(turn.content, f"context.turns.{number}.content", mustache.parse))
        for number, turn in enumerate((binding and binding.turns) or ())
    )
    trees = {name: parsed(source, f"partials.{name}", mustache.parse) for name, source in content.partials.items()}
    field_errors += noncanonical_parts(content)
    used = _used(content, parts, query, turns, trees, field_errors, resolved=resolved)
    known = used.everywhere if resolved or not used.missing else {*used.everywhere, *content.variables}
    variables = {name: variable for name, variable in content.variables.items() if name in known}
    field_errors += [
        FieldError(f"variables.{name}", "is declared, but the prompt never uses it")
        for name in content.variables
        if name not in variables
    ]
    for name in used.required:
        variables.setdefault(name, Variable(type="array" if name in content.placeholders() else None))
    for name in used.optional:
        variables.setdefault(name, Variable(required=False))
    if binding:
        variables.pop(binding.into, None)
    if field_errors:
        raise InvalidPrompt("the prompt cannot be used", field_errors)
    return PreparedPrompt(content, parts, query, turns, trees, variables)


@dataclass(frozen=True)
class _Used:
    required: list[str]
    optional: list[str]
    everywhere: set[str]
    missing: list[str]


def _used(
    content: Content,
    parts: Sequence[MessageTemplate | Placeholder],
    query: Sequence[Node],
    turns: Sequence[MessageTemplate],
    trees: Mapping[str, Sequence[Node]],
    field_errors: list[FieldError],
    *,
    resolved: bool,
) -> _Used:
    """Collect the names that templates, placeholders and the query use; note what does not fit."""
    asked = used_names([*(node for part in parts if isinstance(part, MessageTemplate) for node in part.nodes), *query], trees)
    of_turns = used_names([node for turn in turns for node in turn.nodes], trees)
    placeholders = content.placeholders()
    missing = sorted((asked.partials | of_turns.partials) - content.partials.keys())
    if resolved:
        said = "no partial of that name is given with the prompt"
        field_errors += [FieldError("template", f"{{{{> {name}}}}}: {said}") for name in missing]
    binding = content.context
    if binding:
        filled = asked.values | asked.sections | set(placeholders)
        if binding.into not in filled and (resolved or not missing):
            field_errors.append(FieldError("context.into", f"nothing in the template is named '{binding.into}'"))
        if binding.into in placeholders and not binding.turns:
            field_errors.append(
                FieldError("context.turns", f"'{binding.into}' is a placeholder: say which messages a passage becomes")
            )
        if binding.into in content.variables:
            field_errors.append(
                FieldError(f"variables.{binding.into}", "is filled by the context and cannot be a variable too")
            )
    for name in placeholders:
        variable = content.variables.get(name, Variable())
        if variable.type not in (None, "array"):
            field_errors.append(FieldError(f"variables.{name}", "is a placeholder, so its type is array"))
        if variable.default is not None and not _messages(variable.default):
            field_errors.append(
                FieldError(f"variables.{name}", "is a placeholder, so its default is a list of messages: {role, content}")
            )
    return _Used(
        required=[*sorted(asked.values), *(name for name in placeholders if name not in asked.values)],
        optional=sorted(asked.sections),
        everywhere={*placeholders, *asked.everywhere, *of_turns.everywhere},
        missing=missing,
    )
