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


def messages(sources: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return messages of every role, with content parts and tool calls."""
    cached = {"cache_control": st.just({"type": "ephemeral", "ttl": "1h"})}
    parts = st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": sources}, optional=cached),
        st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.just({"url": "https://example.org/a.png"})}),
        st.fixed_dictionaries({"type": st.just("input_audio"), "input_audio": st.just({"data": "UklGRg==", "format": "wav"})}),
        st.fixed_dictionaries({"type": st.just("file"), "file": st.just({"file_id": "file-1"})}, optional=cached),
    )
    arguments = st.sampled_from(["7", "[]"])  # of any format
    function = st.fixed_dictionaries({"name": st.just("find"), "arguments": arguments})
    call = st.fixed_dictionaries({"id": st.just("call_1"), "type": st.just("function"), "function": function})
    content = sources | st.lists(parts, min_size=1, max_size=3)
    calls = {"role": st.just("assistant"), "tool_calls": st.lists(call, min_size=1, max_size=2)}
    return st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": sources}),
        st.fixed_dictionaries({"role": st.sampled_from(["user", "developer"]), "content": content}, optional={"name": NAME}),
        st.fixed_dictionaries(calls, optional={"content": st.none() | content}),
        st.fixed_dictionaries({"role": st.just("tool"), "content": content, "tool_call_id": st.just("call_1")}),
    )


def with_call_ids(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with an id of its own for each tool call; a tool's result answers the call before it."""
    numbered: list[dict[str, Any]] = []
    count = 0
    for message in messages:
        if "tool_calls" in message:
            calls = [{**call, "id": f"call_{count + number}"} for number, call in enumerate(message["tool_calls"])]
            count += len(calls)
            numbered.append({**message, "tool_calls": calls})
        elif message["role"] != "tool":
            numbered.append(message)
        elif count:
            numbered.append({**message, "tool_call_id": f"call_{count - 1}"})
    return numbered or [{"role": "user", "content": "x"}]


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
        template = [
            *with_call_ids(draw(st.lists(messages(sources), max_size=3))),
            {"role": "user", "content": tags},
            {"role": "placeholder", "name": "history"},
        ]
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
        turns = st.lists(messages(ANY_TEXT.map(mustache)), min_size=1, max_size=2).map(with_call_ids)
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
