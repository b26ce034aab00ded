"""Scorers for outputs that are XML, or contain some, and for whether that has the required elements.

lxml parses it, within promptfoo's limits: no document type with declarations of its own is accepted, no entity is expanded, and
nothing is fetched, so that an output can neither grow nor reach the network. In `contains-xml` an element counts once its tags
match.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType, ScorerValue
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value, value_text
from promptuary.prompt.errors import Invalid

SIZE_LIMIT = 1_000_000
CANDIDATES_LIMIT = 100
_TAG = re.compile(r"<!--|<!\[CDATA\[|<[!?]|<(/?)([^\W\d][\w:.\-]*)")
_PROLOG = re.compile(r"\s+|<\?|<!--|<!DOCTYPE\b")
_QUOTE_OR_BRACKET = re.compile(r"[\"'<>\[]")
_PROLOG_ENDS = {"<?": "?>", "<!--": "-->"}
_MARKUP_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}

ElementPath = list[str]


@dataclass(frozen=True)
class ElementsValue(ScorerValue):
    """The required elements: a list of paths, a comma-separated text, or an object of `requiredElements`; may be empty.

    A path goes down from the root, as in `order.item.name`; among several elements of one name a number chooses, from 0.
    """

    template: ValueTemplate

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Check the form of the paths."""
        paths = value.get("requiredElements") if isinstance(value, dict) else value
        if isinstance(value, dict) and value and value.keys() != {"requiredElements"}:
            raise Invalid("must be paths of elements, or an object of requiredElements")
        if isinstance(paths, list) and not all(isinstance(path, str) and path for path in paths):
            raise Invalid("must name elements by paths, as in order.item")
        if paths is not None and not isinstance(paths, str | list):
            raise Invalid("must be a list of paths of elements, or a comma-separated text of them")
        return cls(parse_value(value))


@dataclass(frozen=True)
class IsXml(BaseScorer):
    """Passes if the whole output is one XML document with the required elements."""

    waits: ClassVar[bool] = False

    elements: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output."""
        paths = _parse_paths(self.elements.fill(sample.case))
        error = _size_error(sample.output) or _document_error(sample.output, paths)
        return self.pass_or_fail(error is None, error or "the output is XML")


@dataclass(frozen=True)
class ContainsXml(BaseScorer):
    """Passes if an XML element in the output has the required elements."""

    waits: ClassVar[bool] = False

    elements: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Parse each outermost element in the output."""
        paths = _parse_paths(self.elements.fill(sample.case))
        error = _size_error(sample.output) or _fragments_error(sample.output, paths)
        return self.pass_or_fail(error is None, error or "the output has XML")


def _size_error(text: str) -> str | None:
    return f"the output is over the limit of {SIZE_LIMIT:,} characters for XML" if len(text) > SIZE_LIMIT else None


def _document_error(text: str, paths: list[ElementPath]) -> str | None:
    from lxml import etree

    if _has_declarations(text):
        return "the output has a document type with declarations of its own, which are not taken"
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        return f"the output is not XML: {error.msg}"
    return _missing_error({_name(root): _to_value(root)}, paths)


def _fragments_error(text: str, paths: list[ElementPath]) -> str | None:
    from lxml import etree

    spans = _element_spans(text)
    for start, end in spans[:CANDIDATES_LIMIT]:
        parser = etree.XMLParser(
            encoding="utf-8", recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        root = etree.fromstring(f"<_>{text[start:end]}</_>".encode("utf-8", "replace"), parser)
        if root is not None:
            value = _to_value(root)
            if _missing_error(value if isinstance(value, dict) else {}, paths) is None:
                return None
    return "no XML in the output has the required elements" if spans else "the output has no XML"


def _has_declarations(text: str) -> bool:
    """Return whether a document type before the root has declarations inside: entities, which could grow without end."""
    position = 0
    while opening := _PROLOG.match(text, position):
        if opening.group() == "<!DOCTYPE":
            return _has_internal_subset(text, opening.end())
        end_mark = _PROLOG_ENDS.get(opening.group())
        position = opening.end() if end_mark is None else text.find(end_mark, opening.end()) + len(end_mark)
        if position < opening.end():
            return False
    return False


def _has_internal_subset(text: str, position: int) -> bool:
    while mark := _QUOTE_OR_BRACKET.search(text, position):
        if mark.group() not in "\"'":
            return mark.group() == "["
        position = text.find(mark.group(), mark.end()) + 1
        if not position:
            return False
    return False


@dataclass(frozen=True)
class _Tag:
    """A tag in a text: whether it is an end tag, its element's name, and where it begins and ends."""

    closing: bool
    name: str
    start: int
    end: int


def _element_spans(text: str) -> list[tuple[int, int]]:
    """Return where elements with matching tags stand, the outermost first; several siblings are one span too."""
    closed: list[tuple[int, int, int]] = []  # start, end, start of the parent or -1
    stack: list[tuple[str, int]] = []
    for tag in _tags(text):
        parent = stack[-1][1] if stack else -1
        if not tag.closing and text[tag.start : tag.end].rstrip(">").rstrip().endswith("/"):
            closed.append((tag.start, tag.end, parent))
        elif not tag.closing:
            stack.append((tag.name, tag.start))
        elif stack and stack[-1][0] == tag.name:
            _, opened = stack.pop()
            closed.append((opened, tag.end, stack[-1][1] if stack else -1))
        else:
            stack.clear()
    starts = {start for start, _, _ in closed}
    outermost: dict[int, list[tuple[int, int]]] = {}
    for start, end, parent in closed:
        if parent not in starts:
            outermost.setdefault(parent, []).append((start, end))
    siblings = [(min(spans)[0], max(spans)[1]) for spans in outermost.values() if len(spans) > 1]
    return siblings + sorted(span for spans in outermost.values() for span in spans)


def _tags(text: str) -> Iterator[_Tag]:
    """Yield the tags in a text; comments, CDATA and declarations are skipped."""
    position = 0
    while opening := _TAG.search(text, position):
        mark = opening.group()
        if mark.startswith(("<!", "<?")):
            end_mark = _MARKUP_ENDS.get(mark, ">")
            end = text.find(end_mark, opening.end())
            position = len(text) if end < 0 else end + len(end_mark)
            continue
        end = _tag_end(text, opening.end())
        if end:
            yield _Tag(bool(opening.group(1)), opening.group(2), opening.start(), end)
        position = end or opening.end()


def _tag_end(text: str, position: int) -> int:
    """Return where a tag ends, with its quoted values skipped; 0 where it does not end."""
    while match := _QUOTE_OR_BRACKET.search(text, position):
        mark = match.group()
        if mark == ">":
            return match.end()
        if mark == "<":
            return 0
        position = match.end() if mark == "[" else text.find(mark, match.end()) + 1
        if not position:
            return 0
    return 0


def _to_value(root: Any) -> Any:
    """Return an element as fast-xml-parser does: its text, or an object of its elements, `@_` attributes and `#text`."""
    values: dict[Any, Any] = {}
    for element in reversed([root, *root.iterdescendants("*")]):
        body: dict[str, Any] = {f"@_{_attribute_name(element, name)}": value for name, value in element.attrib.items()}
        for child in element.iterchildren("*"):
            name, value = _name(child), values.pop(child)
            if name not in body:
                body[name] = value
            elif isinstance(body[name], list):
                body[name].append(value)
            else:
                body[name] = [body[name], value]
        text = "".join((element.text or "", *(child.tail or "" for child in element))).strip()
        if body and text:
            body["#text"] = text
        values[element] = body or text
    return values[root]


def _name(element: Any) -> str:
    local = element.tag.rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


def _attribute_name(element: Any, name: str) -> str:
    namespace, _, local = name.rpartition("}")
    prefixes = (prefix for prefix, uri in element.nsmap.items() if uri == namespace[1:] and prefix)
    prefix = next(prefixes, None) if namespace else None
    return f"{prefix}:{local}" if prefix else local


def _missing_error(value: JsonObject, paths: list[ElementPath]) -> str | None:
    missing = [".".join(path) for path in paths if not _has_path(value, path)]
    return f"the XML lacks {', '.join(missing[:5])}" if missing else None


def _has_path(value: Any, path: ElementPath) -> bool:
    for key in path:
        if isinstance(value, list):
            if not (key.isascii() and key.isdigit() and str(int(key)) == key and int(key) < len(value)):
                return False
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return False
    return True


def _parse_paths(value: Any) -> list[ElementPath]:
    """Parse a filled value as a list of paths; an empty value has none."""
    if isinstance(value, dict):
        value = value.get("requiredElements")
    if value is None or value == "":
        return []
    texts = [text.strip() for text in value.split(",")] if isinstance(value, str) else [value_text(item) for item in value]
    return [text.split(".") for text in texts]


def _is_xml(settings: ScorerSettings[ElementsValue, NoConfig], _: ScorerDependencies) -> IsXml:
    return IsXml(*settings.base, settings.value.template)


def _contains_xml(settings: ScorerSettings[ElementsValue, NoConfig], _: ScorerDependencies) -> ContainsXml:
    return ContainsXml(*settings.base, settings.value.template)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-xml": ScorerType(ElementsValue, _is_xml),
    "contains-xml": ScorerType(ElementsValue, _contains_xml),
}
