"""Scorers for outputs that are HTML, or contain some.

promptfoo parses an output by parse5, which follows the HTML standard, and inspects the tree. justhtml builds the same tree: on
60,000 random fragments of tables, SVG, MathML, templates and forms the verdicts differ from promptfoo's on three, each with
the obsolete `keygen`. html5lib differs on more, and takes minutes for 250 kB of `<div>`, because it walks through all open
elements at each tag. lxml knows HTML 4 only.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, NoValue, ScorerSettings, ScorerType

if TYPE_CHECKING:
    from justhtml import Node

SIZE_LIMIT = 10 * 1024 * 1024
_ELEMENTS = frozenset(
    """html head title base link meta style body article section nav aside h1 h2 h3 h4 h5 h6 header footer address p hr pre
    blockquote ol ul li dl dt dd figure figcaption main div a em strong small s cite q dfn abbr ruby rt rp data time code var
    samp kbd sub sup i b u mark bdi bdo span br wbr img iframe embed object param picture source video audio track map area svg
    math script noscript canvas ins del table caption colgroup col tbody thead tfoot tr td th form label input button select
    datalist optgroup option textarea output progress meter fieldset legend details summary dialog menu slot template""".split()
)
"""The elements that promptfoo recognizes, beside custom elements with a dash in their name."""
_WRITTEN = {name: re.compile(rf"<{name}[\s>/]", re.IGNORECASE) for name in ("html", "head", "body")}
"""The tags of elements that a parser adds where they are not written."""
_WRITTEN_TAGS_LIMIT = 5
_PROBE = "promptuary-probe"
_XML = re.compile(r"\s*<\?xml", re.IGNORECASE)
_TRIMMED = re.compile(rf"\A[{JAVASCRIPT_SPACE}]+|(?<![{JAVASCRIPT_SPACE}])[{JAVASCRIPT_SPACE}]+\Z")
"""JavaScript's white space at both ends, which promptfoo trims; Python's `str.strip` has other characters."""


@dataclass(frozen=True)
class IsHtml(BaseScorer):
    """Passes if the output has an element of HTML (or of a name with a dash), and no text outside all elements."""

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output in a thread, because a long one takes seconds."""
        error = await asyncio.to_thread(html_error, sample.output)
        return self.pass_or_fail(error is None, error or "the output is HTML")


@dataclass(frozen=True)
class ContainsHtml(BaseScorer):
    """Passes if the output has at least two signs of HTML: tags, an entity, a comment, an attribute."""

    waits: ClassVar[bool] = False

    async def score(self, sample: ScorerInput) -> Score:
        """Count the signs."""
        signs = 0 if len(sample.output) > SIZE_LIMIT else _count_signs(sample.output)
        return self.pass_or_fail(signs > 1, f"{signs} signs of HTML" if signs > 1 else "the output has no HTML")


def html_error(text: str) -> str | None:
    """Return why a text is no HTML, or None."""
    text = _trim(text)
    if not text:
        return "the output is empty"
    if len(text) > SIZE_LIMIT:
        return "the output is over the limit of 10 MiB for HTML"
    if _XML.match(text):
        return "the output seems to be XML, not HTML"
    if "<" not in text:
        return "the output has text outside of HTML's tags"
    nodes = list(_nodes(text))
    body = next((node for node in nodes if node.name == "body"), None)
    if body is not None and _has_text(body) and not _is_written(text, "body"):
        return "the output has text outside of HTML's tags"
    names = {node.name.lower() for node in nodes}
    known = any(name in _ELEMENTS or "-" in name for name in names - _WRITTEN.keys())
    if known or any(_is_written(text, name) for name in names & _WRITTEN.keys()):
        return None
    return "the output has no element of HTML"


def _trim(text: str) -> str:
    return _TRIMMED.sub("", text)


def _nodes(text: str) -> "Iterator[Node]":
    """Yield the elements and comments of a text in document order, as a browser parses it; a template's content is left out."""
    from justhtml import JustHTML

    stack: list[Any] = [JustHTML(text, sanitize=False).root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.children or ()))
        if node.name == "#comment" or node.name[0] not in "#!":
            yield node


def _has_text(body: "Node") -> bool:
    return any(child.name == "#text" and _trim(str(child.data or "")) for child in body.children or ())


def _is_written(text: str, name: str) -> bool:
    """Return whether a written tag created the element `html`, `head` or `body`, and not the parser on its own.

    The parser does not report it. So the text before the tag is parsed twice. With a marked tag behind it, the mark shows
    whether the tag is one at all. With a comment behind it, the comment shows whether the element existed before the tag.
    """
    for tag in list(_WRITTEN[name].finditer(text))[:_WRITTEN_TAGS_LIMIT]:
        before = text[: tag.start()]
        element = next((node for node in _nodes(f"{before}<{name} {_PROBE}>") if node.name == name), None)
        if element is None or _PROBE not in (element.attrs or ()):
            continue
        first = next(node for node in _nodes(f"{before}<!--{_PROBE}-->") if node.name == name or node.data == _PROBE)
        return bool(first.name == "#comment")
    return False


@cache
def _signs() -> dict[str, re2_pattern.CompiledPattern]:
    """Return promptfoo's signs as RE2 patterns: as Python's own, two of them take quadratic time."""
    tag = r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?"
    known = "html|head|body|div|span|p|a|img|h[1-6]|ul|ol|li|table|tr|td|th|form|input|button|script|style|link|meta|br|hr"
    sources = {
        "opening": f"{tag}>",
        "closing": r"</[a-zA-Z][a-zA-Z0-9-]*\s*>",
        "self-closing": f"{tag}/>",
        "entity": r"&(?:[a-zA-Z]+|#[0-9]+|#x[0-9a-fA-F]+);",
        "doctype": r"(?i)<!DOCTYPE\s+html",
        "comment": r"<!--[^-]*(?:-[^-]+)*-->",
        "attribute": r"\s[a-zA-Z-]+=\s*[\"'][^\"']*[\"']",
        "known": rf"(?i)<(?:{known})\b",
    }
    return {name: re2_pattern.compile_pattern(source) for name, source in sources.items()}


def _count_signs(text: str) -> int:
    """Count the signs of HTML; a document type and a well-known element count twice."""
    present = {name: re2_pattern.matches(pattern, text) for name, pattern in _signs().items()}
    return sum(present.values()) + present["doctype"] + present["known"]


def _is_html(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> IsHtml:
    return IsHtml(*settings.base)


def _contains_html(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> ContainsHtml:
    return ContainsHtml(*settings.base)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-html": ScorerType(NoValue, _is_html),
    "contains-html": ScorerType(NoValue, _contains_html),
}
