"""What a mustache template of LangChain means there and not here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from promptuary.prompt.content import Placeholder
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.tree import Node, Section, Tag

_ESCAPED = re.compile(r"(?<!\{)\{\{\s*[^\s{&#^/!>=]")


def langchain_remarks(prepared: PreparedPrompt) -> Iterator[str]:
    """Yield a remark for each kind of difference that a mustache prompt of LangChain has, with its first place."""
    content = prepared.content
    if content.format != "mustache":
        return
    if any(_ESCAPED.search(source) for _, source in content.sources()):
        yield 'LangChain writes & < > " in the value of a {{name}} as HTML, such as &amp;; here they stay as they are'
    places = _Places()
    for part in prepared.parts:
        if not isinstance(part, Placeholder):
            places.visit(part.nodes, in_section=False)
    if places.sections:
        yield f"the section '{places.sections[0]}' over 0 or an empty object is not rendered in LangChain; here it is"
    if places.dotted:
        yield (
            f"'{places.dotted[0]}' in a section is looked up further out in LangChain where the item has only its first part; "
            "here that is an error"
        )
    if places.optional:
        yield (
            f"'{places.optional[0]}' is empty in LangChain where it has no value; here that is an error, unless it is declared "
            "with required: false"
        )


@dataclass
class _Places:
    """The names in the templates of a prompt, by what differs for them."""

    sections: list[str] = field(default_factory=list)
    dotted: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)

    def visit(self, nodes: Sequence[Node], *, in_section: bool) -> None:
        for node in nodes:
            if isinstance(node, Section):
                self.sections.append(node.name)
                self.visit(node.body, in_section=True)
            elif isinstance(node, Tag) and node.name != ".":
                if in_section and len(node.path) > 1:
                    self.dotted.append(node.name)
                if in_section or len(node.path) > 1:
                    self.optional.append(node.name)
