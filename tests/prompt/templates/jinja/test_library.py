"""Jinja templates compared with the library: what Promptuary renders, the library's sandbox renders to the same text.

Promptuary refuses more than the library does, such as a loop over the characters of a text, and never renders another text. Two
intended differences are left out here: a value that is not a text is shown as in every format, and filters return lists, which
are false when they are empty, where the library returns iterators.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.prompt.errors import InvalidPrompt, InvalidVariables
from promptuary.prompt.templates.expressions.filters import FILTERS, TESTS
from promptuary.prompt.templates.jinja.parser import parse
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.value import to_text


def rendered(template: str, values: dict[str, Any]) -> str:
    return render(parse(template), values, limit=100_000)


def sandboxed(template: str, values: dict[str, Any]) -> str:
    """Render a template with the Jinja library itself, with values shown as Promptuary shows them."""
    from jinja2 import Undefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(finalize=lambda value: "" if isinstance(value, Undefined) else to_text(value))
    return environment.from_string(template).render(values)


values_of = st.fixed_dictionaries(
    {
        "t": st.text(alphabet="ab é\n", max_size=6),
        "n": st.integers(-5, 5),
        "m": st.integers(0, 2) | st.just(1.5),
        "l": st.lists(st.integers(-2, 3) | st.text(alphabet="ab ", max_size=3), max_size=3),
        "o": st.fixed_dictionaries({"k": st.integers(0, 2)}, optional={"m": st.just({"k": "deep"}), "p": st.just([1, "b"])}),
        "ls": st.lists(st.fixed_dictionaries({"k": st.text(alphabet="xy", max_size=2)}), max_size=3),
    },
    optional={"x": st.sampled_from(["", "x", 0, 3, None])},
)


def calls(form: str, *parts: Any) -> Any:
    return st.builds(form.format, *parts)


numbers = st.recursive(
    st.sampled_from(["n", "m", "2", "0", "1.5", "o.k", "o['k']", "l|length", "t|length", "(t|int)", "(l[0]|int(7))"]),
    lambda inner: st.one_of(
        calls("({} {} {})", inner, st.sampled_from(["+", "-", "*", "//", "%", "/"]), inner),
        calls("(-{})", inner),
        calls(
            "({}|{})", inner, st.sampled_from(["abs", "round", "round(1)", "round(0, 'ceil')", "int", "float", "default(3)"])
        ),
    ),
    max_leaves=3,
)
texts = st.recursive(
    st.sampled_from(
        ["t", "'a'", "' b'", "t[:2]", "t[1]", "o.m.k|d('none')", "(l[9]|d('e'))", "(l|first|string)", "(n|string)"]
    ),
    lambda inner: st.one_of(
        calls("({} ~ {})", inner, inner),
        calls(
            "({}|{})",
            inner,
            st.sampled_from(
                [
                    "upper",
                    "lower",
                    "title",
                    "capitalize",
                    "trim",
                    "trim('a ')",
                    "replace('a', 'bb')",
                    "replace('a', '', 1)",
                    "truncate(3)",
                    "truncate(4, true, '.', 0)",
                    "indent(2)",
                    "indent(1, true, true)",
                    "first",
                    "last",
                    "default('d')",
                ]
            ),
        ),
        calls("(l|join({}))", inner),
    ),
    max_leaves=3,
)
lists = st.sampled_from(
    ["l", "l[1:]", "l[:-1]", "ls", "ls|map(attribute='k')", "o.p", "missing", "l|reverse", "[n, t]", "(1, 'b')", "o|items", "o"]
)
tests = st.recursive(
    st.one_of(
        calls("({} {} {})", numbers, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "< 3 <="]), numbers),
        calls("({} {} {})", texts, st.sampled_from(["==", "!=", "<", "in", "not in"]), texts),
        calls("({} {} {})", numbers, st.sampled_from(["in", "not in"]), st.sampled_from(["l", "l[1:]", "[1, n]", "missing"])),
        calls("({} in o)", texts),
        calls(
            "({} is {})", numbers | texts | st.sampled_from(["l", "o", "x", "missing", "o.p"]), st.sampled_from(sorted(TESTS))
        ),
    ),
    lambda inner: st.one_of(
        calls("(not {})", inner),
        calls(
            "({} {} {})",
            inner,
            st.sampled_from(["and", "or"]),
            inner | numbers | texts | st.sampled_from(["l", "o", "x", "missing"]),
        ),
    ),
    max_leaves=3,
)
printable = st.one_of(
    numbers,
    texts,
    tests,
    calls("{}|join({})", st.sampled_from(["l", "l[1:]", "l|reverse", "ls|map(attribute='k')", "[n, t]", "missing"]), texts),
    calls("{} if {} else {}", numbers | texts, tests, numbers | texts),
    calls("{} if {}", texts, tests),
    st.sampled_from(["x", "o", "l", "l[1:]", "[n, t]", "missing", "o.p.q", "loop.last", "loop.index", "x.k", "none", "true"]),
)
templates = st.recursive(
    st.sampled_from(["text ", "\n", "  "]) | calls("{{{{ {} }}}}", printable),
    lambda inner: st.one_of(
        calls("{}{}", inner, inner),
        calls("{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{%- endif %}}", tests, inner, tests, inner, inner),
        calls("{{% for x in {} %}}{}{{% else %}}{}{{% endfor -%}}", lists, inner, inner),
        calls("{{% for x in {} if {} %}}{}{{% endfor %}}", lists, tests, inner),
        calls("{{% for x, y in o|items %}}{}{{{{ y }}}}{{% endfor %}}", inner),
    ),
    max_leaves=4,
)


@settings(max_examples=300)
@given(templates, values_of)
def test_the_librarys_sandbox_renders_the_same_text(template: str, values: dict[str, Any]) -> None:
    try:
        text = rendered(template, values)
    except (InvalidPrompt, InvalidVariables):
        return
    assert text == sandboxed(template, values)


def test_the_filters_and_tests_that_are_taken_are_those_of_the_library() -> None:
    from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_TESTS

    assert FILTERS.keys() <= DEFAULT_FILTERS.keys()
    assert TESTS.keys() <= DEFAULT_TESTS.keys()
