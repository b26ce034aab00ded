"""Scorers that ask whether an output is HTML, or holds some.

promptfoo reads the output as browsers do; here a short reading of it follows the same rules as far as they decide the answer:
which tags count, and which text stands outside every element. Both take time in proportion to the output.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from typing import Any

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NOTHING, ScorerType

SIZE_LIMIT = 10 * 1024 * 1024
_ELEMENTS = frozenset(
    """html head title base link meta style body article section nav aside h1 h2 h3 h4 h5 h6 header footer address p hr pre
    blockquote ol ul li dl dt dd figure figcaption main div a em strong small s cite q dfn abbr ruby rt rp data time code var
    samp kbd sub sup i b u mark bdi bdo span br wbr img iframe embed object param picture source video audio track map area svg
    math script noscript canvas ins del table caption colgroup col tbody thead tfoot tr td th form label input button select
    datalist optgroup option textarea output progress meter fieldset legend details summary dialog menu slot template""".split()
)
_WRAPPERS = frozenset(("html", "head", "body"))
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr keygen".split())
_RAW = frozenset("script style textarea title iframe noembed noframes noscript xmp".split())
_IN_TABLE = frozenset("caption col colgroup tbody td tfoot th thead tr".split())
_LISTED = frozenset("dd dt li option td th tr".split())
_TABLE_PARTS = frozenset("table tbody tfoot thead tr".split())
_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())
_CLOSE_P = frozenset(
    """address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5
    h6 header hgroup hr li dd dt main menu nav ol p pre listing section summary table ul plaintext xmp""".split()
)
_TAG = re.compile(r"<(?:!--|[!?]|/?[A-Za-z])")
_NAME = re.compile(r"[^\s/>]+")
_ATTRIBUTE = re.compile(r"[\s/]*(?:[^\s/>=][^\s/>=]*)?\s*(?:=\s*(\"|'|[^\s>\"']*))?")
_LITERAL = {name: re.compile(rf"<{name}[\s>/]") for name in _WRAPPERS}


@dataclass(frozen=True)
class IsHtml(BaseScorer):
    """The output has an element of HTML (or of a name with a dash), and no text outside all elements."""

    async def score(self, sample: ScorerInput) -> Score:
        """Read it."""
        fault = html_error(sample.output.strip())
        return self.answer(fault is None, fault or "the output is HTML")


@dataclass(frozen=True)
class ContainsHtml(BaseScorer):
    """The output shows two signs of HTML at least: tags, an entity, a comment, an attribute."""

    async def score(self, sample: ScorerInput) -> Score:
        """Look for the signs."""
        signs = 0 if len(sample.output) > SIZE_LIMIT else _signs(sample.output)
        return self.answer(signs > 1, f"{signs} signs of HTML" if signs > 1 else "the output has no HTML")


def html_error(text: str) -> str | None:
    """Say why a text is no HTML, or None."""
    if not text:
        return "the output is empty"
    if len(text) > SIZE_LIMIT:
        return "the output is over the limit of 10 MiB for HTML"
    if text[:5].lower() == "<?xml":
        return "the output seems to be XML, not HTML"
    page = _Page(frozenset(name for name, literal in _LITERAL.items() if literal.search(text.lower())))
    for kind, name, at in _parts(text):
        page.take(kind, name, at)
    if page.loose and not page.body:
        return "the output has text outside of HTML's tags"
    return None if page.found else "the output has no element of HTML"


@dataclass
class _Page:
    """What is open while a page is read, and what was found in it."""

    literal: frozenset[str]
    open: list[str] = field(default_factory=list)
    within: Counter[str] = field(default_factory=Counter)
    formatting: Counter[str] = field(default_factory=Counter)
    found: bool = False
    loose: bool = False
    body: bool = False

    def take(self, kind: str, name: str, alone: bool) -> None:
        """Go on by a start tag, an end tag or text; `alone` for a tag that closes itself."""
        if kind == "text":
            around = len(self.open)
            if around and self.open[-1] in _TABLE_PARTS and self.within["table"]:  # such text is put before its table
                around = self.open.index("table")
            self.loose |= not around and not self.formatting.total()
        elif kind == "start":
            self._start("img" if name == "image" else name, alone)
        else:
            self._end(name)

    def _start(self, name: str, alone: bool) -> None:
        if name in _WRAPPERS:
            self.found |= name in self.literal
            self.body |= name == "body"
            return
        if name in _IN_TABLE and not self.within["table"] and not self.within["template"]:
            return
        self.found |= name in _ELEMENTS or "-" in name
        if name in _CLOSE_P and self.within["p"]:
            self._close("p")
        if name in _LISTED and self.open and self.open[-1] == name:
            self._close(name)
        foreign = self.within["svg"] or self.within["math"] or name in ("svg", "math")
        if name in _VOID or (alone and foreign):
            return
        if name in _FORMATTING:
            if name == "a" and self.formatting["a"]:
                self._end("a")
            self.formatting[name] += 1
        self.open.append(name)
        self.within[name] += 1

    def _end(self, name: str) -> None:
        self.found |= name == "br"
        if self.formatting[name]:
            self.formatting[name] -= 1
        if self.within[name]:
            self._close(name)

    def _close(self, name: str) -> None:
        closed = ""
        while closed != name:
            closed = self.open.pop()
            self.within[closed] -= 1


def _parts(text: str) -> Iterator[tuple[str, str, bool]]:
    """Give start tags, end tags and runs of text that are more than white space, as a browser finds them."""
    at = last = 0
    while found := _TAG.search(text, at):
        if unescape(text[last : found.start()]).strip():
            yield "text", "", False
        mark = found.group()
        if mark == "<!--" or mark in ("<!", "<?"):
            close = "-->" if mark == "<!--" else ">"
            end = text.find(close, found.end() - (mark == "<!--") * 2)
            at = last = len(text) if end < 0 else end + len(close)
            continue
        closing = mark.startswith("</")
        name_at = _NAME.match(text, found.end() - 1)
        assert name_at is not None
        name, end, alone = name_at.group().lower(), *_end(text, name_at.end())
        at = last = end or len(text)
        if not end:
            return
        yield ("end" if closing else "start"), name, alone
        if not closing and name in _RAW:
            stop = re.compile(rf"</{re.escape(name)}[\s/>]", re.IGNORECASE).search(text, at)
            at = last = stop.start() if stop else len(text)
    if unescape(text[last:]).strip():
        yield "text", "", False


def _end(text: str, at: int) -> tuple[int, bool]:
    """Give where a tag ends and whether it closes itself; 0 where it does not end."""
    while at < len(text):
        if text[at] == ">":
            return at + 1, text[at - 1] == "/"
        found = _ATTRIBUTE.match(text, at)
        assert found is not None
        at = max(found.end(), at + 1) if found.end() == at else found.end()
        if found.group(1) in ('"', "'"):
            at = text.find(found.group(1), at) + 1
            if not at:
                return 0, False
    return 0, False


@cache
def _patterns() -> dict[str, Any]:
    """Give the signs as RE2 patterns: as Python's own, two of them take quadratic time."""
    tag = r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?"
    known = "html|head|body|div|span|p|a|img|h[1-6]|ul|ol|li|table|tr|td|th|form|input|button|script|style|link|meta|br|hr"
    sources = {
        "opening": f"{tag}>",
        "closing": r"</[a-zA-Z][a-zA-Z0-9-]*\s*>",
        "alone": f"{tag}/>",
        "entity": r"&(?:[a-zA-Z]+|#[0-9]+|#x[0-9a-fA-F]+);",
        "doctype": r"(?i)<!DOCTYPE\s+html",
        "comment": r"<!--[^-]*(?:-[^-]+)*-->",
        "attribute": r"\s[a-zA-Z-]+=\s*[\"'][^\"']*[\"']",
        "known": rf"(?i)<(?:{known})\b",
    }
    return {name: re2_pattern.compile_pattern(source) for name, source in sources.items()}


def _signs(text: str) -> int:
    has = {name: re2_pattern.matches(compiled, text) for name, compiled in _patterns().items()}
    signs = has["opening"] + has["closing"] + has["alone"] + has["entity"] + has["comment"] + has["attribute"]
    return signs + 2 * has["doctype"] + 2 * has["known"]


SCORER_TYPES: dict[str, ScorerType] = {
    "is-html": ScorerType(NOTHING, lambda spec, _: IsHtml(spec.metric, spec.weight, spec.inverse)),
    "contains-html": ScorerType(NOTHING, lambda spec, _: ContainsHtml(spec.metric, spec.weight, spec.inverse)),
}
