"""Strategies for contents: texts with all characters that YAML treats specially, and JSON of any shape."""

from typing import Any

from hypothesis import strategies as st

from promptuary.prompt.content import Content

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TEXT = st.text(CHARACTERS, max_size=40) | st.text(
    st.sampled_from(" \t\n\r:#-|>'\"{}[]&*!%@`,?abü消😀\x85\u2028\ufeff"), max_size=30
)
LINES = st.lists(st.text(st.sampled_from(" \tab:#-'\"é"), max_size=8), min_size=2, max_size=6).map("\n".join)
ANY_TEXT = TEXT | LINES
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
NUMBER = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not 2**53 <= abs(number) < 1e21
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBER | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.just("k" * 1500), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(ANY_TEXT, JSON, max_size=4)
UNIT = st.floats(0, 1, exclude_min=True)
MODEL = st.fixed_dictionaries(
    {"name": st.text(CHARACTERS, min_size=1, max_size=20)},
    optional={
        "temperature": st.floats(0, 2) | st.integers(0, 2),
        "max_tokens": st.integers(1, 1000),
        "top_p": UNIT,
        "seed": st.integers(-(2**53) + 1, 2**53 - 1),
        "stop": st.lists(ANY_TEXT, max_size=4),
    },
)


def mustache(text: str) -> str:
    """Return the text without anything that could be a tag by chance."""
    return text.replace("{", "(").replace("}", ")")


def fstring(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def named(tools: list[Any]) -> list[Any]:
    """Return the objects as tools: each gets a name and keeps any other field."""
    reserved = ("function", "parameters", "input_schema", "description")
    return [{**{k: v for k, v in tool.items() if k not in reserved}, "name": f"t{number}"} for number, tool in enumerate(tools)]


@st.composite
def contents(draw: st.DrawFn) -> Content:
    kind = draw(st.sampled_from(["text", "chat"]))
    form = draw(st.sampled_from(["mustache", "simple", "f-string"]))
    names = draw(st.lists(NAME, max_size=3, unique=True))
    escaped, tag = (fstring, "{%s}") if form == "f-string" else (mustache, "{{%s}}")
    sources = st.lists(ANY_TEXT.map(escaped) | st.sampled_from([tag % name for name in names] or [""]), max_size=5).map("".join)
    tags = "\n".join(tag % name for name in names)
    template: Any = draw(sources) + tags
    if kind == "chat":
        roles = st.sampled_from(["system", "user", "assistant", "tool"])
        messages = draw(st.lists(st.fixed_dictionaries({"role": roles, "content": sources}), max_size=3))
        template = [*messages, {"role": "user", "content": tags}, {"role": "placeholder", "name": "history"}]
    described = st.fixed_dictionaries(
        {},
        optional={
            "description": ANY_TEXT,
            "required": st.booleans(),
            "sensitive": st.booleans(),
            "default": JSON,
            "maximum": NUMBER,
        },
    )
    body: dict[str, Any] = {
        "type": kind,
        "format": form,
        "template": template,
        "variables": {
            name: draw(described) for name in draw(st.lists(st.sampled_from(names), unique=True)) if name != "history"
        }
        if names
        else {},
        "model": draw(st.none() | MODEL),
        "response_format": draw(st.none() | OBJECT.map(lambda more: {**more, "type": "json_object"})),
        "tools": draw(st.none() | st.lists(OBJECT, max_size=3).map(named)),
        "config": draw(st.none() | JSON),
    }
    if kind == "chat" and draw(st.booleans()):
        turns = st.lists(
            st.fixed_dictionaries({"role": st.just("user"), "content": ANY_TEXT.map(mustache)}), min_size=1, max_size=2
        )
        body["context"] = {
            "collection": "a.b",
            "query": draw(ANY_TEXT.map(mustache).filter(bool)),
            "into": "history",
            "k": draw(st.integers(1, 100)),
            "min_score": draw(st.none() | st.floats(-1, 1)),
            "turns": draw(turns),
        }
    for variable in body["variables"].values():
        if not isinstance(variable.get("default", 0), int | float) or isinstance(variable.get("default"), bool):
            variable.pop("maximum", None)
        elif "default" in variable and "maximum" in variable:
            variable["maximum"] = max(variable["maximum"], variable["default"])
    return Content.model_validate(body)
