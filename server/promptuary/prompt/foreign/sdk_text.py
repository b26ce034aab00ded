"""The texts of other registries: their SDKs fill in `{{name}}`, and the format here is the one that renders the same."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.drafts import ImportDraft
from promptuary.prompt.templates import mustache, simple
from promptuary.prompt.templates.other_syntax import refused_tags
from promptuary.prompt.templates.tree import Literal, Node, Tag

_WORDS = re.compile(r"[^\W_][\w -]*\Z")


@dataclass(frozen=True)
class SdkText:
    """One text of a prompt.

    Attributes:
        path: its path in the file.
        text: the text as it is imported.
        nodes: the text as the SDK reads it, whatever stands in the braces.
        names_only: the same, with braces around anything but a name as text; None where the text includes other prompts.
    """

    path: str
    text: str
    nodes: Sequence[Node]
    names_only: Sequence[Node] | None


def choose_format(draft: ImportDraft, texts: Sequence[SdkText], sdk: str) -> None:
    """Set the format of a draft: mustache where it reads all texts as the SDK does, else `simple`.

    A dot in a name leads into an object in mustache, and not in an SDK; so such names need `simple`. Where neither format reads
    a text as the SDK does, an error is recorded.
    """
    has_dots = any("." in node.name for text in texts for node in text.nodes if isinstance(node, Tag))
    draft.content_fields["format"] = "mustache"
    misread = [text for text in texts if not _reads_the_same(text)]
    if not misread and not has_dots:
        return
    if all(text.names_only is not None and merged(simple.parse(text.text)) == merged(text.names_only) for text in texts):
        draft.content_fields["format"] = "simple"
        _add_text_remarks(draft, texts, sdk)
        return
    for text in misread:
        if _parses(text):  # else the check of the whole draft reports it
            draft.add_error(text.path, f"has braces that {sdk} reads in another way; only {{{{name}}}} means the same in both")
    for text in texts:
        for node in text.nodes:
            if isinstance(node, Tag) and "." in node.name:
                first = node.name.partition(".")[0]
                draft.add_remark(
                    text.path, f"'{node.name}' is one variable in {sdk}; here it is looked up inside the variable '{first}'"
                )


def merged(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes with adjacent literals joined, empty ones removed, and tags reduced to their names."""
    joined: list[Node] = []
    for node in nodes:
        if isinstance(node, Literal) and joined and isinstance(joined[-1], Literal):
            joined[-1] = Literal(joined[-1].text + node.text)
        elif not isinstance(node, Literal) or node.text:
            joined.append(Tag(node.name) if isinstance(node, Tag) else node)
    return joined


def _add_text_remarks(draft: ImportDraft, texts: Sequence[SdkText], sdk: str) -> None:
    for text in texts:
        for name in dict.fromkeys(node.name for node in text.nodes if isinstance(node, Tag)):
            if _WORDS.match(name) and not simple.is_name(name):
                draft.add_remark(text.path, f"'{{{{{name}}}}}' is text here; {sdk} fills it in where a program passes '{name}'")


def _reads_the_same(text: SdkText) -> bool:
    try:
        nodes = mustache.parse(text.text, text.path)
    except InvalidPrompt:
        return False
    return merged(nodes) == merged(text.nodes) and not any(refused_tags(nodes, frozenset()))


def _parses(text: SdkText) -> bool:
    try:
        mustache.parse(text.text, text.path)
    except InvalidPrompt:
        return False
    return True
