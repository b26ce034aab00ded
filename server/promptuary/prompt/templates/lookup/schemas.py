"""The declared schemas of the places to which the paths of a template lead."""

from collections.abc import Mapping, Sequence

from promptuary.prompt.variables import Schema


def schema_at(path: tuple[str, ...], items: Sequence[Mapping[str, Schema]], variables: Mapping[str, Schema]) -> Schema | None:
    """Return the schema of the value at a path; None where nothing is declared.

    Args:
        path: the parts of a dotted name.
        items: the declared members of the items of the sections around it, the innermost last.
        variables: the declared variables.
    """
    first, *rest = path
    schema = next((members[first] for members in reversed([variables, *items]) if first in members), None)
    for part in rest:
        if schema is None:
            return None
        schema = (schema.properties or {}).get(part) or (schema.items if part.isdecimal() else None)
    return schema


def item_members(
    path: tuple[str, ...], items: Sequence[Mapping[str, Schema]], variables: Mapping[str, Schema]
) -> Mapping[str, Schema] | None:
    """Return the declared members of what a section over a path iterates over; None where none are declared."""
    schema = schema_at(path, items, variables)
    if schema is not None and schema.items is not None:
        schema = schema.items
    return None if schema is None else schema.properties
