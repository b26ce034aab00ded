"""Syntax of Handlebars and Jinja in mustache templates: what to write instead.

A part of it does not parse as mustache. The rest parses as a name that no caller would use, such as `x|upper`, and is refused
when a version is registered. Registered versions with such names still render.
"""

import re
from collections.abc import Iterator, Sequence, Set

from promptuary.prompt.templates.tree import Node, Section, Tag

_BLOCK = re.compile(r"(if|unless|each|with)\s+(.+)", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*\Z")
_BLOCKS = {
    "if": "write {{#NAME}} … {{/NAME}}, and {{^NAME}} … {{/NAME}} for the other case",
    "unless": "write {{^NAME}} … {{/NAME}}",
    "each": "write {{#NAME}} … {{/NAME}}, and {{.}} for the item",
    "with": "write {{#NAME}} … {{/NAME}}",
}
_ELSE = "mustache has no 'else': close the section, and write {{^name}} … {{/name}} for the other case"
_FILTER = "mustache has no filters: pass the value as it is to be shown, or use the format jinja2"
_EXPRESSION = "mustache has no expressions: pass the value itself, or use the format jinja2"
_JSON = "braces that are text need the format simple, or other delimiters, as in {{=<% %>=}}"
_INDEX = re.compile(r"\[(\w+)\]")


def advice_for_tag(tag_type: str, content: str) -> str | None:
    """Return what to write instead of a tag that is no mustache; None where nothing is known.

    Args:
        tag_type: the first character of the tag; empty for a value.
        content: the rest of it.
    """
    if tag_type in ("#", "^") and (match := _BLOCK.fullmatch(content)):
        name = match[2].strip() if _PLAIN_NAME.match(match[2].strip()) else "name"
        return f"mustache has no '{match[1]}': " + _BLOCKS[match[1]].replace("NAME", name)
    if tag_type == "/" and content in _BLOCKS:
        return "a section is closed by its own name"
    if content.partition(" ")[0] == "else":
        return _ELSE
    if content[:1] in ('"', "'"):
        return _JSON
    if "|" in content:
        return _FILTER
    return _EXPRESSION if re.search(r"[-+*/=<>!()\[\]?:~]", content) else None


def refused_tags(nodes: Sequence[Node], declared: Set[str], *, in_section: bool = False) -> Iterator[tuple[str, str, int]]:
    """Yield the name, what to write instead and the line of each tag that parses, and is meant for another language.

    Args:
        nodes: a mustache template, parsed.
        declared: the names of the declared variables; a tag with such a name is meant as it is.
        in_section: whether a section is around it.
    """
    for node in nodes:
        if isinstance(node, Tag | Section) and node.path[0] not in declared:
            advice = _advice_for_name(node.name, in_section=in_section)
            if advice is not None:
                yield node.name, advice, node.line
        if isinstance(node, Section):
            yield from refused_tags(node.body, declared, in_section=True)


def _advice_for_name(name: str, *, in_section: bool) -> str | None:
    if name == "else":
        return _ELSE
    if "|" in name:
        return _FILTER
    if name.startswith("@"):
        return "mustache has no names with '@', such as an item's number: pass it as a member of the item"
    if in_section and name.partition(".")[0] == "this":
        return (
            "write {{.}} for the item" if name == "this" else f"write {{{{{name.partition('.')[2]}}}}} for a member of the item"
        )
    if "[" in name and _PLAIN_NAME.match(path := _INDEX.sub(r".\1", name)):
        return f"write {{{{{path}}}}}"
    return _EXPRESSION if re.search(r"[()\[\]+*=<>?~]", name) else None
