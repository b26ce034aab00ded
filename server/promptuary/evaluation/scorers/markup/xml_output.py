"""Scorers that ask whether an output is XML, or holds some, and whether that has the elements that are asked for.

lxml reads it, within promptfoo's limits: no document type with declarations of its own is taken, no entity is spelt out, and
nothing is fetched, so that an output can neither grow nor reach out. In `contains-xml` an element counts once its tags match.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies, ScorerType, validator_of
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value, value_text
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

SIZE_LIMIT = 1_000_000
TRIES = 100
_TAG = re.compile(r"<!--|<!\[CDATA\[|<[!?]|<(/?)([^\W\d][\w:.\-]*)")
_PROLOG = re.compile(r"\s+|<\?|<!--|<!DOCTYPE\b")
_QUOTED = re.compile(r"[\"'<>\[]")


@dataclass(frozen=True)
class Xml(BaseScorer):
    """The whole output is one XML document, or (`part`) an element stands in it; with the elements at the paths asked for.

    A path goes down from the root, as in `order.item.name`; among several elements of one name a number chooses, from 0.
    """

    value: ValueTemplate
    part: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output, or each outermost element in it."""
        paths = _paths(self.value.of(sample.case))
        if len(sample.output) > SIZE_LIMIT:
            return self.answer(False, f"the output is over the limit of {SIZE_LIMIT:,} characters for XML")
        fault = _contained(sample.output, paths) if self.part else _document(sample.output, paths)
        return self.answer(fault is None, fault or ("the output has XML" if self.part else "the output is XML"))


def _document(text: str, paths: list[list[str]]) -> str | None:
    from lxml import etree

    if _declares(text):
        return "the output has a document type with declarations of its own, which are not taken"
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        return f"the output is not XML: {error.msg}"
    return _missing({_name(root): _value(root)}, paths)


def _contained(text: str, paths: list[list[str]]) -> str | None:
    from lxml import etree

    spans = _spans(text)
    for start, end in spans[:TRIES]:
        parser = etree.XMLParser(
            encoding="utf-8", recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        root = etree.fromstring(f"<_>{text[start:end]}</_>".encode("utf-8", "replace"), parser)
        if root is not None:
            found = _value(root)
            if _missing(found if isinstance(found, dict) else {}, paths) is None:
                return None
    return "no XML in the output has the elements asked for" if spans else "the output has no XML"


def _declares(text: str) -> bool:
    """Tell whether a document type before the root has declarations inside: entities, which could grow without end."""
    at = 0
    while found := _PROLOG.match(text, at):
        if found.group() == "<!DOCTYPE":
            return _has_subset(text, found.end())
        close = {"<?": "?>", "<!--": "-->"}.get(found.group())
        at = found.end() if close is None else text.find(close, found.end()) + len(close)
        if at < found.end():
            return False
    return False


def _has_subset(text: str, at: int) -> bool:
    while found := _QUOTED.search(text, at):
        if found.group() not in "\"'":
            return found.group() == "["
        at = text.find(found.group(), found.end()) + 1
        if not at:
            return False
    return False


def _spans(text: str) -> list[tuple[int, int]]:
    """Give where elements stand whose tags match, the outermost first of all; several side by side are also one span."""
    closed: list[tuple[int, int, int]] = []
    stack: list[tuple[str, int]] = []
    for closing, name, start, end in _tags(text):
        parent = stack[-1][1] if stack else -1
        if not closing and text[start:end].rstrip(">").rstrip().endswith("/"):
            closed.append((start, end, parent))
        elif not closing:
            stack.append((name, start))
        elif stack and stack[-1][0] == name:
            _, opened = stack.pop()
            closed.append((opened, end, stack[-1][1] if stack else -1))
        else:
            stack.clear()
    starts = {start for start, _, _ in closed}
    outer: dict[int, list[tuple[int, int]]] = {}
    for start, end, parent in closed:
        if parent not in starts:
            outer.setdefault(parent, []).append((start, end))
    together = [(min(spans)[0], max(spans)[1]) for spans in outer.values() if len(spans) > 1]
    return together + sorted(span for spans in outer.values() for span in spans)


def _tags(text: str) -> Iterator[tuple[bool, str, int, int]]:
    """Give the tags in a text; comments, CDATA and declarations are passed over."""
    at = 0
    while found := _TAG.search(text, at):
        opening = found.group()
        if opening.startswith(("<!", "<?")):
            close = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}.get(opening, ">")
            end = text.find(close, found.end())
            at = len(text) if end < 0 else end + len(close)
            continue
        end = _end(text, found.end())
        if end:
            yield bool(found.group(1)), found.group(2), found.start(), end
        at = end or found.end()


def _end(text: str, at: int) -> int:
    """Give where a tag ends, its quoted values passed over; 0 where it does not."""
    while found := _QUOTED.search(text, at):
        mark = found.group()
        if mark == ">":
            return found.end()
        if mark == "<":
            return 0
        at = found.end() if mark == "[" else text.find(mark, found.end()) + 1
        if not at:
            return 0
    return 0


def _value(element: Any) -> Any:
    """Give an element as fast-xml-parser does: its text, or an object of its elements, `@_` attributes and `#text`."""
    order = [element, *element.iterdescendants("*")]
    values: dict[Any, Any] = {}
    for one in reversed(order):
        body: dict[str, Any] = {f"@_{_qualified(one, name)}": value for name, value in one.attrib.items()}
        for child in one.iterchildren("*"):
            name, value = _name(child), values.pop(child)
            if name not in body:
                body[name] = value
            elif isinstance(body[name], list):
                body[name].append(value)
            else:
                body[name] = [body[name], value]
        text = "".join((one.text or "", *(child.tail or "" for child in one))).strip()
        if body and text:
            body["#text"] = text
        values[one] = body or text
    return values[element]


def _name(element: Any) -> str:
    local = element.tag.rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


def _qualified(element: Any, name: str) -> str:
    space, _, local = name.rpartition("}")
    prefix = next((prefix for prefix, uri in element.nsmap.items() if uri == space[1:] and prefix), None) if space else None
    return f"{prefix}:{local}" if prefix else local


def _missing(found: Mapping[str, Any], paths: list[list[str]]) -> str | None:
    missing = [".".join(path) for path in paths if not _has(found, path)]
    return f"the XML lacks {', '.join(missing[:5])}" if missing else None


def _has(value: Any, path: list[str]) -> bool:
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


def _paths(value: Any) -> list[list[str]]:
    """Read the value: a list of paths, a comma-separated text, or an object of `requiredElements`; nothing asks for none."""
    if isinstance(value, dict):
        value = value.get("requiredElements")
    if value is None or value == "":
        return []
    texts = [text.strip() for text in value.split(",")] if isinstance(value, str) else [value_text(item) for item in value]
    return [text.split(".") for text in texts]


def _check(value: Any) -> None:
    paths = value.get("requiredElements") if isinstance(value, dict) else value
    if isinstance(value, dict) and value and value.keys() != {"requiredElements"}:
        raise Invalid("must be paths of elements, or an object of requiredElements")
    if isinstance(paths, list) and not all(isinstance(path, str) and path for path in paths):
        raise Invalid("must name elements by paths, as in order.item")
    if paths is not None and not isinstance(paths, str | list):
        raise Invalid("must be a list of paths of elements, or a comma-separated text of them")
    parse_value(value)


def _kind(*, part: bool) -> ScorerType:
    def build(spec: "ScorerSpec", _: ScorerDependencies) -> Xml:
        return Xml(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), part)

    return ScorerType(validator_of(_check), build)


SCORER_TYPES: dict[str, ScorerType] = {"is-xml": _kind(part=False), "contains-xml": _kind(part=True)}
