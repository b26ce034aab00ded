"""Values that know which of their members their declarations let be missing."""

from collections.abc import Mapping
from typing import Any

from promptuary.prompt.templates.value import DeclaredObject
from promptuary.prompt.variables import Schema, Variable


def declared_values(variables: Mapping[str, Variable], values: Mapping[str, Any]) -> DeclaredObject:
    """Return valid values with the names and members that may be missing.

    Args:
        variables: the declared variables, without those that a template only uses.
        values: the values, checked against the declarations.
    """
    optional = frozenset(name for name, variable in variables.items() if not variable.required)
    return DeclaredObject(
        {name: _declared(variables[name], value) if name in variables else value for name, value in values.items()}, optional
    )


def _declared(schema: Schema, value: Any) -> Any:
    if not _has_optional_members(schema):
        return value
    if schema.properties is not None and isinstance(value, Mapping):
        optional = frozenset(name for name, member in schema.properties.items() if not member.required)
        members = {name: _declared(schema.properties[name], member) for name, member in value.items()}
        return DeclaredObject(members, optional)
    if schema.items is not None and isinstance(value, list | tuple):
        return [_declared(schema.items, item) for item in value]
    return value


def _has_optional_members(schema: Schema) -> bool:
    members = schema.properties or {}
    return any(not member.required or _has_optional_members(member) for member in members.values()) or (
        schema.items is not None and _has_optional_members(schema.items)
    )
