"""A fast renderer for plain text values in plain tags, which is nearly every prompt.

It handles only what it is sure of. For anything else (a section, a number, a value that does not fit) it returns None, and the
full renderer decides. So there is one set of rules and one set of errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from promptuary.prompt.content import Placeholder
from promptuary.prompt.templates.message_templates import MessageTemplate
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT, PreparedPrompt
from promptuary.prompt.templates.tree import Literal, Node, Tag
from promptuary.prompt.variables import Variable

Message = dict[str, Any]
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_LIST_KEYWORDS = {"enum", "items", "minItems", "maxItems"}


@dataclass(frozen=True, slots=True)
class _TextRule:
    """The rule for a value: a text between two lengths, optionally one of an enumeration."""

    name: str
    shortest: int
    longest: float
    allowed: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _CompiledPart:
    """A message as a `%` form with its values, or (without a role) the name of a list of messages."""

    role: str | None
    form: str
    values: Callable[[Mapping[str, Any]], Any] | None


@dataclass(frozen=True, slots=True)
class CompiledPrompt:
    """A prompt of plain tags, ready to be rendered."""

    chat: bool
    count: int
    defaults: dict[str, Any]
    texts: tuple[_TextRule, ...]
    parts: tuple[_CompiledPart, ...]

    def render(self, values: dict[str, Any]) -> list[Message] | str | None:
        """Return the messages, or the text; None where the full renderer must decide."""
        full = {**self.defaults, **values} if self.defaults else values
        if len(full) != self.count:
            return None
        for text in self.texts:
            value = full.get(text.name)
            if type(value) is not str or not text.shortest <= len(value) <= text.longest:
                return None
            if text.allowed is not None and value not in text.allowed:
                return None
        messages: list[Message] = []
        size = 0
        for part in self.parts:
            if part.role is None:
                inserted = _checked_messages(full.get(part.form))
                if inserted is None:
                    return None
                messages += inserted
                continue
            content = part.form if part.values is None else part.form % part.values(full)
            size += len(content)
            messages.append({"role": part.role, "content": content})
        if size > OUTPUT_LIMIT:
            return None
        return messages if self.chat else messages[0]["content"]


def _checked_messages(items: Any) -> list[Message] | None:
    if type(items) is not list:
        return None
    messages = []
    for item in items:
        if type(item) is not dict or len(item) != 2:
            return None
        role, content = item.get("role"), item.get("content")
        if type(role) is not str or role not in _ROLES or type(content) is not str:
            return None
        messages.append({"role": role, "content": content})
    return messages


def compile_prompt(prepared: PreparedPrompt) -> CompiledPrompt | None:
    """Compile a prompt; None where only the full renderer can render it."""
    if prepared.content.context is not None:
        return None
    lists = set(prepared.content.placeholders())
    defaults: dict[str, Any] = {}
    texts = []
    for name, variable in prepared.variables.items():
        if name in lists:
            if variable.json_schema().keys() & _LIST_KEYWORDS:
                return None
        elif (text := _text_rule(name, variable)) is None:
            return None
        else:
            texts.append(text)
        if variable.default is not None:
            defaults[name] = variable.default
        elif not variable.required:
            defaults[name] = [] if name in lists else ""
    parts = []
    for part in prepared.parts:
        if isinstance(part, Placeholder):
            compiled: _CompiledPart | None = _CompiledPart(None, part.name, None)
        elif isinstance(part, MessageTemplate):
            compiled = _compiled_part(part.role, part.nodes, lists)
        else:
            return None
        if compiled is None:
            return None
        parts.append(compiled)
    return CompiledPrompt(prepared.content.type == "chat", len(prepared.variables), defaults, tuple(texts), tuple(parts))


def _text_rule(name: str, variable: Variable) -> _TextRule | None:
    if variable.type not in (None, "string"):
        return None
    allowed = None if variable.enum is None else frozenset(item for item in variable.enum if isinstance(item, str))
    longest = float("inf") if variable.maxLength is None else variable.maxLength
    return _TextRule(name, variable.minLength or 0, longest, allowed)


def _compiled_part(role: str, nodes: tuple[Node, ...], lists: set[str]) -> _CompiledPart | None:
    form: list[str] = []
    names: list[str] = []
    for node in nodes:
        if isinstance(node, Literal):
            form.append(node.text.replace("%", "%%"))
        elif isinstance(node, Tag) and len(node.path) == 1 and node.name not in {*lists, "."}:
            form.append("%s")
            names.append(node.name)
        else:
            return None
    if not names:
        return _CompiledPart(role, "".join(form).replace("%%", "%"), None)
    return _CompiledPart(role, "".join(form), itemgetter(*names))
