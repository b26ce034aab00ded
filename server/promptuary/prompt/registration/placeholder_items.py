"""Declared items of a placeholder that no message meets."""

from collections.abc import Iterator

from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.values import message_errors
from promptuary.prompt.variables import JsonType, Property, Schema, fits

_ROLES = ("system", "developer", "user", "assistant", "tool")
_MEMBERS: dict[str, tuple[JsonType, ...]] = {
    "role": ("string",),
    "content": ("string", "array"),
    "name": ("string",),
    "tool_calls": ("array",),
    "tool_call_id": ("string",),
}
"""The members of a message, and the types that each may have."""


def item_errors(path: str, items: Schema) -> Iterator[FieldError]:
    """Yield an error for each part of the schema of a placeholder's items that no message meets."""
    if items.type not in (None, "object"):
        yield FieldError(f"{path}.type", f"is {items.type}, but the items of a placeholder are messages: objects")
        return
    for number, value in enumerate(items.enum or ()):
        for error in message_errors([value], ""):
            where = error.path.removeprefix(".0").strip(".")
            reason = f"is no message and can never be given: {f'{where} ' if where else ''}{error.message}"
            yield FieldError(f"{path}.enum.{number}", reason)
    if items.properties is not None:
        yield from _property_errors(f"{path}.properties", items.properties)


def _property_errors(path: str, properties: dict[str, Property]) -> Iterator[FieldError]:
    if "role" not in properties:
        yield FieldError(path, "has no `role`, but the items of a placeholder are messages, which have one")
        return
    if not {"content", "tool_calls"} & properties.keys():
        yield FieldError(path, "has neither `content` nor `tool_calls`, but a message has one of them: add it")
    for name, member in properties.items():
        types = _MEMBERS.get(name)
        if types is None:
            if member.required:
                known = ", ".join(_MEMBERS)
                yield FieldError(f"{path}.{name}", f"is required, but a message has only {known}: remove it")
        elif member.type is not None and member.type not in types:
            yield FieldError(f"{path}.{name}.type", f"is {member.type}, but in a message it is {' or '.join(types)}")
    yield from _role_errors(path, properties)


def _role_errors(path: str, properties: dict[str, Property]) -> Iterator[FieldError]:
    """Yield an error for each role that no message has, and for required members that no role that is left has."""
    role = properties["role"]
    if role.type not in (None, "string"):
        return
    unknown = [number for number, value in enumerate(role.enum or ()) if value not in _ROLES]
    for number in unknown:
        yield FieldError(f"{path}.role.enum.{number}", f"is no role of a message: those are {', '.join(_ROLES)}")
    roles = [name for name in _ROLES if fits(role, name)]
    if not roles and not unknown:
        yield FieldError(f"{path}.role", f"is met by no role of a message: those are {', '.join(_ROLES)}")
    for name, owner in (("tool_calls", "assistant"), ("tool_call_id", "tool")):
        if name in properties and properties[name].required and roles and owner not in roles:
            yield FieldError(f"{path}.{name}", f"is required, but only a message of the role {owner} has it")
    if all(name in properties and properties[name].required for name in ("tool_calls", "tool_call_id")):
        yield FieldError(f"{path}.tool_call_id", "is required with tool_calls, but no message has both")
