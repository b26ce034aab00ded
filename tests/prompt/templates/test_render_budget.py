"""What a render may cost: what would take forever or fill the memory ends at the limits, in every format."""

import time
from typing import Any

import pytest

from promptuary.prompt.errors import RenderTooLarge
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.jinja import parser as jinja
from promptuary.prompt.templates.render_budget import WORK_LIMIT
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.used_names import used_names

MEBIBYTE = 1024 * 1024
LONG = "x" * 1_000_000
MANY = [0] * 300_000


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}", {"l": list(range(1000))}),
        ("{% for a in l %}{% for b in l %}{% if a and b %}{% endif %}{% endfor %}{% endfor %}", {"l": MANY}),
        ("{% for a in l if a %}{% endfor %}{% for a in l if a %}{% endfor %}", {"l": MANY}),
        ("{{ a|replace('', b) }}", {"a": LONG, "b": LONG}),
        ("{{ a|replace('x', b)|length }}", {"a": LONG, "b": "yy"}),
        ("{{ l|join(b)|length }}", {"l": MANY, "b": LONG}),
        ("{{ a|indent(100)|length }}", {"a": "\n" * 1_000_000}),
        ("{{ (a ~ a)|length }}", {"a": LONG}),
        ("{{ " + " ~ ".join(["a"] * 20_000) + " }}", {"a": LONG}),
        ("{% for i in l %}{% if a in b %}{% endif %}{% endfor %}", {"l": MANY, "a": "x" * 99 + "y", "b": LONG}),
        ("{% for i in l %}{% if 1 in l %}{% endif %}{% endfor %}", {"l": MANY}),
        ("{% for i in l %}{% if a == b %}{% endif %}{% endfor %}", {"l": MANY, "a": LONG, "b": "x" * 999_999 + "y"}),
        ("{% for i in l %}{% if a|upper %}{% endif %}{% endfor %}", {"l": MANY, "a": LONG}),
        ("{% for i in l %}{% if o|tojson %}{% endif %}{% endfor %}", {"l": MANY, "o": {"a": MANY}}),
        ("{% for i in l %}{% if o|items %}{% endif %}{% endfor %}", {"l": MANY, "o": {str(key): 0 for key in range(99_999)}}),
        ("{% for i in l %}{% if l[1:] %}{% endif %}{% endfor %}", {"l": MANY}),
        ("{% for i in l %}{% if l|map(attribute='a')|length %}{% endif %}{% endfor %}", {"l": MANY}),
        ("{% for i in l %}{% if a|title %}{% endif %}{% endfor %}", {"l": MANY, "a": "a " * 500_000}),
        ("{% for i in l %}{% if a|int %}{% endif %}{% endfor %}", {"l": MANY, "a": "9" * 4000}),
        ("{{ a }}{{ a }}", {"a": LONG}),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_would_take_forever_or_fill_the_memory_ends_at_the_limits(template: str, values: dict[str, Any]) -> None:
    """The clock here is far above what it takes (a second at most), and far below what the work would take."""
    started = time.monotonic()
    with pytest.raises(RenderTooLarge):
        render(jinja.parse(template), values, limit=MEBIBYTE)
    assert time.monotonic() - started < 60


def chain(length: int) -> dict[str, str]:
    return {**{f"p{at}": f"{{{{#a}}}}{{{{> p{at + 1}}}}}{{{{/a}}}}" for at in range(length)}, f"p{length}": "x"}


@pytest.mark.parametrize(
    ("template", "values", "partials"),
    [
        ("{{#l}}" + "{{a}}" * 40_000 + "{{/l}}", {"l": MANY, "a": ""}, {}),
        ("{{#l}}{{#l}}{{/l}}{{/l}}", {"l": MANY}, {}),
        ("{{#l}}{{^l}}{{/l}}{{^l}}{{/l}}{{/l}}", {"l": MANY}, {}),
        ("{{#l}}{{> p}}{{/l}}", {"l": MANY}, {"p": "{{a}}" * 40_000}),
        ("".join(" " * at + "{{> p}}\n" for at in range(600)), {"a": ""}, {"p": "{{a}}\n" * 12_000}),
        ("{{> p}}", {"a": 1}, {"p": "{{#a}}" * 30 + "{{> p}}" + "{{/a}}" * 30}),
        ("{{> p0}}", {"a": 1}, chain(3000)),
    ],
    ids=[
        "many tags",
        "lists in lists",
        "inverted",
        "partials",
        "partials indented",
        "partials in themselves",
        "partials in a chain",
    ],
)
def test_mustache_ends_at_the_same_limits(template: str, values: dict[str, Any], partials: dict[str, str]) -> None:
    started = time.monotonic()
    with pytest.raises(RenderTooLarge):
        render(mustache.parse(template), values, limit=MEBIBYTE, partials=partials)
    assert time.monotonic() - started < 60


def test_the_work_has_a_limit_of_its_own_that_is_the_same_everywhere() -> None:
    loop = jinja.parse("{% for a in l %}{% endfor %}")
    steps = 2  # the loop, and the list's name
    assert render(loop, {"l": [0] * (WORK_LIMIT - steps)}, limit=WORK_LIMIT) == ""
    with pytest.raises(RenderTooLarge, match=f"more than {WORK_LIMIT} steps to render; shorten its lists or its loops"):
        render(loop, {"l": [0] * (WORK_LIMIT - steps + 1)}, limit=WORK_LIMIT)


@pytest.mark.parametrize("parsed", [jinja.parse("{% for a in l %}{% endfor %}"), mustache.parse("{{#l}}{{/l}}")])
def test_each_turn_of_a_loop_counts_as_a_character(parsed: Any) -> None:
    assert render(parsed, {"l": [0] * 10}, limit=10) == ""
    with pytest.raises(RenderTooLarge, match="over the limit of 9 characters"):
        render(parsed, {"l": [0] * 10}, limit=9)


def test_a_chain_of_thousands_of_partials_can_be_looked_through_for_names() -> None:
    trees = {name: mustache.parse(source) for name, source in chain(3000).items()}
    assert used_names(mustache.parse("{{> p0}}"), trees).partials == trees.keys()
