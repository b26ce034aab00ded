"""Jinja templates: what they render, which syntax is refused, and which variables they need."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.errors import InvalidPrompt, InvalidVariables, PromptuaryError
from promptuary.prompt.templates.jinja import parser
from promptuary.prompt.templates.jinja.parser import parse
from promptuary.prompt.templates.jinja.refusal import TemplateRefusal
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.tree import Literal, Tag
from promptuary.prompt.templates.used_names import used_names


def rendered(template: str, values: dict[str, Any], limit: int = 100_000) -> str:
    return render(parse(template), values, limit=limit)


USER = {"name": "Ana", "age": 41, "tags": ["a", "b"], "home": {"city": "Oslo"}}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("Hello {{ name }}!", {"name": "Ana"}, "Hello Ana!"),
    ("{{ a }} {{ a }}", {"a": "{{ b }} {% if %}"}, "{{ b }} {% if %} {{ b }} {% if %}"),
    ("({{ a }})({{ b.c }})({{ b['d'] }})", {"a": None, "b": {"c": 1}}, "()(1)()"),
    ("{{ user.home.city }} {{ user.tags[0] }} {{ user.tags[-1] }} {{ user.tags[:1]|join }}", {"user": USER}, "Oslo a b a"),
    ("{{ 'x' if a else 'y' }}{{ 'z' if a }}", {"a": 0}, "y"),
    ("{% if a > 3 %}big{% elif a %}small{% else %}none{% endif %}", {"a": 2}, "small"),
    (
        "{% for x in l %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ', ' if not loop.last }}{% endfor %}",
        {"l": [7, 8]},
        "1/2:7, 2/2:8",
    ),
    ("{% for x in l if x is odd %}{{ loop.index0 }}{{ x }}{% else %}none{% endfor %}", {"l": [1, 2, 3]}, "0113"),
    ("{% for x in l %}{{ x }}{% else %}none{% endfor %}", {"l": []}, "none"),
    ("{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}", {"d": {"a": 1, "b": [2]}}, "a=1;b=[2];"),
    ("{% for k in d %}{{ k }}{% endfor %}", {"d": {"a": 1, "b": 2}}, "ab"),
    (
        "{% for a in l %}{% for b in a %}{{ loop.index }}{{ b }}{% endfor %}{{ loop.index }};{% endfor %}",
        {"l": [[8], [9]]},
        "181;192;",
    ),
    ("{{ a ~ '-' ~ b ~ none }}", {"a": "x", "b": 3}, "x-3"),
    ("{{ n + 1 }} {{ n - 1 }} {{ n * 2 }} {{ n / 2 }} {{ n // 2 }} {{ n % 2 }} {{ -n }}", {"n": 5}, "6 4 10 2.5 2 1 -5"),
    (
        "{{ 1 < n <= 5 }} {{ 'a' in s }} {{ 3 not in l }} {{ 'k' in d }}",
        {"n": 5, "s": "cat", "l": [3], "d": {"k": 0}},
        "true true false true",
    ),
    ("{{ a or 'none' }} {{ a and 'some' }}", {"a": ""}, "none "),
    ("{{ missing|default('d') }} {{ empty|default('d', true) }} {{ empty|d('d') }}", {"empty": ""}, "d d "),
    (
        "{{ a is defined }} {{ b is undefined }} {{ c is none }} {{ d is mapping }}",
        {"a": 1, "c": None, "d": {}},
        "true true true true",
    ),
    (
        "{{ p|map(attribute='t.u')|join(', ') }} {{ p|join('+', attribute='v') }}",
        {"p": [{"t": {"u": 1}, "v": "x"}, {"t": {"u": 2}, "v": "y"}]},
        "1, 2 x+y",
    ),
    (
        "{{ a|upper }} {{ a|capitalize }} {{ a|title }} {{ a|replace('o', '0') }} {{ a|trim('h') }}",
        {"a": "hello you"},
        "HELLO YOU Hello you Hello You hell0 y0u ello you",
    ),
    (
        "{{ a|truncate(9) }}|{{ a|truncate(9, true) }}|{{ a|truncate(9, leeway=0, end='…') }}",
        {"a": "one two three four"},
        "one...|one tw...|one two…",
    ),
    ("{{ a|indent(2) }}|{{ a|indent(2, first=true, blank=true) }}", {"a": "x\n\ny"}, "x\n\n  y|  x\n  \n  y"),
    (
        "{{ o|tojson }} {{ '<é>'|tojson }} {{ l|tojson(indent=1) }}",
        {"o": {"b": True, "a": None}, "l": [1]},
        '{"b": true, "a": null} "<é>" [\n 1\n]',
    ),
    (
        "{{ '4.7'|int }} {{ 'x'|int(9) }} {{ '1e2'|float }} {{ 2.5|round }} {{ 2.41|round(1, 'ceil') }} {{ -3|abs }}",
        {},
        "4 9 100.0 2.0 2.5 3",
    ),
    (
        "{{ l|first }}{{ l|last }}{{ l|length }}{{ s|count }}{{ s|reverse }}{{ l|reverse|first }}",
        {"l": [1, 2, 3], "s": "ab"},
        "1332ba3",
    ),
    ("a  {%- if a -%}  b  {%- endif %}  c\n", {"a": 1}, "ab  c"),
    ("({{ a.b|truncate(3) }}{{ a.b|upper }}{{ a.b|length }}{{ a.b|first }}{{ a.b|join }})", {"a": {}}, "(0)"),
    ("{% for k, v in a.b|items %}x{% else %}none{% endfor %}", {"a": {}}, "none"),
    ("{{ '1e999'|float }} {{ 'x'|float(2.5) }} {{ l|float }} {{ l|int }} {{ '1e999'|int }}", {"l": []}, "0.0 2.5 0.0 0 0"),
    ("{# a comment #}{% raw %}{{ as it is }}{% endraw %}", {}, "{{ as it is }}"),
    ("{{ [a, 'b']|join('-') }} {{ a in ('x', 'y') }}", {"a": "x"}, "x-b true"),
]


@pytest.mark.parametrize(("template", "values", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_template_renders_as_jinja_renders_it(template: str, values: dict[str, Any], expected: str) -> None:
    assert rendered(template, values) == expected


@given(
    st.lists(st.sampled_from("{{ }} {% %} {# #} {%- -%} if for in end set a . [ ] ( ) | 'x' 1 * ** ~ __ \\ \n".split(" "))).map(
        " ".join
    )
)
def test_no_text_raises_anything_but_our_own_errors(template: str) -> None:
    try:
        rendered(template, {"a": [1, "x"], "x": {"a": 1}}, limit=1000)
    except PromptuaryError:
        pass


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ f() }}", "a call is not supported"),
        ("{% for i in range(10**9) %}x{% endfor %}", "a call is not supported"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "a call is not supported"),
        ("{{ ''.__class__ }}", "'__class__' begins with '_'"),
        ("{{ a['__class__'] }}", "'__class__' begins with '_'"),
        ("{{ a._b }}", "'_b' begins with '_'"),
        ("{{ _a }}", "'_a' begins with '_'"),
        ("{{ a|attr('__class__') }}", "the filter 'attr' is not supported; supported are abs, capitalize, count"),
        ("{{ self._TemplateReference__context }}", "begins with '_'"),
        ("{{ cycler.__init__.__globals__ }}", "begins with '_'"),
        ("{% set a = 1 %}", "'set' is not supported"),
        ("{% set a %}x{% endset %}", "'set' is not supported"),
        ("{% set ns.a = 1 %}", "'set' is not supported"),
        ("{% include 'x' %}", "'include' is not supported"),
        ("{% import 'x' as y %}", "'import' is not supported"),
        ("{% from 'x' import y %}", "'from … import' is not supported"),
        ("{% extends 'x' %}", "'extends' is not supported"),
        ("{% block x %}{% endblock %}", "'block' is not supported"),
        ("{% macro m() %}{% endmacro %}", "'macro' is not supported"),
        ("{% call m() %}{% endcall %}", "'call' is not supported"),
        ("{% filter upper %}x{% endfilter %}", "'filter' as a block is not supported"),
        ("{% with a = 1 %}{% endwith %}", "'with' is not supported"),
        ("{% autoescape true %}{% endautoescape %}", "'autoescape' is not supported"),
        ("{% do a.b() %}", "unknown tag 'do'"),
        ("{% for a in b recursive %}{% endfor %}", "'recursive' is not supported"),
        ("{% for loop in b %}{% endfor %}", "none is 'loop'"),
        ("{% for a, a in b %}{% endfor %}", "plain, different names"),
        ("{% for a, (b, c) in d %}{% endfor %}", "plain, different names"),
        ("{{ 2 ** 3 }}", "'**' is not supported"),
        ("{{ 'x' * 1000000000 }}", "'*' computes with numbers only"),
        ("{{ 'x' * 10**9 }}", "'*' computes with numbers only"),
        ("{{ [1] * 9 }}", "'*' computes with numbers only"),
        ("{{ '%999999s' % a }}", "'%' computes with numbers only"),
        ("{{ 'a' + b }}", "join texts with ~"),
        ("{{ -'a' }}", "'-' computes with numbers only"),
        ("{{ +a }}", "'+' before a value is not supported"),
        ("{{ {'a': 1} }}", "an object that is written out is not supported"),
        ("{{ a|center(10**9) }}", "the filter 'center' is not supported"),
        ("{{ a|center(1000000000) }}", "the filter 'center' is not supported"),
        ("{{ '%s'|format(a) }}", "the filter 'format' is not supported"),
        ("{{ a|upper(1) }}", "has arguments that it does not accept"),
        ("{{ a|indent(wide=3) }}", "has arguments that it does not accept"),
        ("{{ a|replace('x') }}", "has arguments that it does not accept"),
        ("{{ a|join(*b) }}", "arguments by * or ** are not supported"),
        ("{{ a is divisibleby(3) }}", "the test 'divisibleby' is not supported"),
        ("{{ a is defined(1) }}", "the test 'defined' is not supported, or not with arguments"),
        ("{{ a is sameas none }}", "the test 'sameas' is not supported"),
        ("{{ a[::2] }}", "a slice with a step is not supported"),
        ("{{ a['\\ud800'] }}", "a text has a lone surrogate"),
        ("{{ '\\x00' }}", "a text has a NUL character"),
        ("{{ 9007199254740992 }}", "a number is too large"),
        ("{{ 1e999 }}", "a number is too large"),
        ("{{ 0x" + "f" * 5000 + " }}", "a number is too large"),
        ("{{ " + "9" * 5000 + " }}", "too many digits"),
        ("{{ a", "(line 1 of the template)"),
        ("x\ny {% if a %}\n", "block that needs to be closed is 'if'. (line 2 of the template)"),
        ("x\n\n{{ a.b() }}", "a call is not supported in a prompt (line 3 of the template)"),
        ("{{ " + "(" * 20_000 + "a" + ")" * 20_000 + " }}", "nested too deep"),
        ("{{ a" + " + a" * 20_000 + " }}", "an expression is nested more than 64 deep"),
        ("{{ a" + ".b" * 20_000 + " }}", "an expression is nested more than 64 deep"),
        ("{{ " + "not " * 20_000 + "a }}", "nested too deep"),
        ("{% if a %}" * 40 + "{% endif %}" * 40, "blocks are nested more than 32 deep"),
        ("{% if a %}" * 5_000 + "{% endif %}" * 5_000, "nested too deep"),
    ],
    ids=lambda text: text[:60] if isinstance(text, str) else None,
)
def test_what_is_not_on_the_list_is_refused_by_its_name_and_line(template: str, words: str) -> None:
    with pytest.raises(InvalidPrompt) as raised:
        parse(template, "template.1.content")
    (error,) = raised.value.field_errors
    assert (error.path, words in error.message) == ("template.1.content", True), error
    assert "of the template)" in error.message
    assert len(error.message) < 500


def test_every_node_type_of_the_library_is_supported_or_refused_by_name() -> None:
    """A new release of the library brings no new way in: what is not named is refused, and nothing falls through."""
    from jinja2 import nodes

    reader = parser.TemplateReader()
    supported = {*reader.expressions.converters, "Output", "If", "For", "TemplateData", "Slice"}
    for kind in (kind for kind in vars(nodes).values() if isinstance(kind, type) and issubclass(kind, nodes.Expr | nodes.Stmt)):
        if kind.__name__ not in supported and not kind.abstract:
            node = kind.__new__(kind)
            node.lineno = 1
            with pytest.raises(TemplateRefusal, match="is not supported in a prompt"):
                reader.expressions.read(node, 0) if isinstance(node, nodes.Expr) else reader.body([node], 0)


def test_no_code_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was compiled")

    template = "{% for a in b if a %}{{ a.c|upper ~ loop.index }}{% endfor %}"
    parse(template)  # the environment is made once
    monkeypatch.setattr("jinja2.environment.Environment.compile", forbidden)
    for name in ("compile", "exec", "eval"):
        monkeypatch.setattr(builtins, name, forbidden)
    assert rendered(template, {"b": [{"c": "x"}]}) == "X1"


# --- values that do not do what the template asks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "path", "words"),
    [
        ("{{ a + 1 }}", "a", "'+' needs two numbers; join texts with ~"),
        ("{{ 1 + t * 2 }}", "t", "'*' needs two numbers"),
        ("{{ n // 0 }}", "n", "'//' divides by zero"),
        ("{{ n % 0 }}", "n", "'%' divides by zero"),
        ("{{ n * n * n * n }}", "n", "the result of '*' is too large"),
        ("{{ huge + 1.5 }}", "huge", "the result of '+' is too large"),
        ("{{ f * f }}", "f", "the result of '*' is too large"),
        ("{{ n * n * 1.5 / f * f * f }}", "n", "the result of '*' is too large"),
        ("{{ -t }}", "t", "'-' needs a number"),
        ("{{ missing.b }}", "missing", "it has no value, so nothing can be looked up in it"),
        ("{{ t < 3 }}", "t", "'<' compares two numbers or two texts"),
        ("{{ l == l }}", "l", "'==' compares texts, numbers, true, false and none, not lists or objects"),
        ("{{ 3 in t }}", "t", "'in' looks for a text in a text"),
        ("{{ l in l }}", "l", "'in' looks for a text or a number, not for a list or an object"),
        ("{{ 3 in n }}", "n", "'in' looks in a text, a list or an object"),
        ("{% for x in t %}{% endfor %}", "t", "a loop iterates over a list"),
        ("{% for x, y in l %}{% endfor %}", "l", "the loop unpacks each item, so each must be a list of 2"),
        ("{{ n[:2] }}", "n", "only a list or a text can be sliced"),
        ("{{ t[:t] }}", "t", "the bounds of a slice must be integers"),
        ("{{ [1, missing]|join }}", "missing", "each item of a list needs a value, and one of them is undefined"),
        ("{{ t|join }}", "t", "the filter 'join' needs a list"),
        ("{{ t|items }}", "t", "the filter 'items' needs an object"),
        ("{{ t|indent(101) }}", "t", "the filter 'indent' needs an integer from 0 to 100 as its argument"),
        ("{{ t|replace(n, t) }}", "t", "the filter 'replace' needs a text as its argument"),
        ("{{ missing|tojson }}", "missing", "the filter 'tojson' needs a value, and there is none"),
        ("{{ t|round }}", "t", "the filter 'round' needs a number"),
        ("{{ n|round(0, t) }}", "n", "the filter 'round' needs 'common', 'ceil' or 'floor' as its method"),
        ("{{ f|round(15, 'ceil') }}", "f", "the filter 'round' needs a smaller number"),
        ("{{ t|abs }}", "t", "the filter 'abs' needs a number"),
        ("{{ t is even }}", "t", "the test 'even' needs a number"),
        ("{% if 3 < t %}{% endif %}", "t", "'<' compares two numbers or two texts"),
        ("{{ 1 + 'hunter2'|trim }}", "template", "'+' needs two numbers; join texts with ~"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_name_and_never_repeated(template: str, path: str, words: str) -> None:
    values = {"a": "hunter2", "t": "hunter2", "n": 2**60, "f": 1e300, "l": ["hunter2"], "huge": 10**400}
    with pytest.raises(InvalidVariables) as raised:
        rendered(f"x\n{template}", values)
    assert [(error.path, error.message) for error in raised.value.field_errors] == [(path, f"{words} (line 2 of the template)")]
    assert "hunter2" not in str(raised.value)


# --- names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "required", "optional", "inner", "lists"),
    [
        ("{{ a }} {{ b.c }} {{ d[e] }}", "abde", "", "", "bd"),
        ("{{ a|upper ~ b|replace(c, 'x') }} {{ -d + e }}", "abcde", "", "", ""),
        ("{% for a in b %}{{ a }}{{ c }}{{ loop.index }}{% endfor %}", "", "b", "c", "b"),
        ("{% for a in b if a == c %}{% else %}{{ d }}{% endfor %}{{ a }}", "a", "b", "cd", "b"),
        ("{% for a, b in c|items %}{% for d in a %}{{ d }}{{ b }}{% endfor %}{% endfor %}", "", "c", "", "c"),
        ("{% if a %}{{ a }}{{ b }}{% endif %}", "", "a", "b", ""),
        ("{% if not a %}x{% elif b %}{{ b }}{% else %}{{ a }}{% endif %}{{ c }}", "c", "ab", "", ""),
        ("{% if a %}{% elif b > 1 %}{{ c }}{% endif %}", "", "a", "bc", ""),
        ("{% if a %}{% endif %}{{ a }}", "a", "a", "", ""),
        ("{% if a is defined and a.b %}{{ a.c }}{% endif %}", "", "a", "", "a"),
        ("{% if a > 3 %}{{ a }}{% endif %}", "a", "", "a", ""),
        ("{{ a|default('x') }} {{ b if c else d }} {{ e if e }}", "", "ace", "bd", ""),
        ("{{ a or b }} {{ c and c.d }} {{ e and f }}", "b", "ace", "f", "c"),
        ("{{ a|join }} {{ b|first }} {{ c|map(attribute='x')|join }} {{ d[:3] }}", "abcd", "", "", "abcd"),
        ("{% if a|length > 2 %}{{ [b, c] }}{% endif %}{{ a is string }}", "a", "", "bc", ""),
        ("{% if a|trim %}{{ a }}{% endif %}", "", "a", "", ""),
    ],
)
def test_names_are_required_unless_they_are_tested_or_may_not_be_needed(
    template: str, required: str, optional: str, inner: str, lists: str
) -> None:
    names = used_names(parse(template))
    assert (names.values, names.sections, names.inner, names.lists) == (set(required), set(optional), set(inner), set(lists))
    assert not names.partials


def test_plain_names_become_plain_tags() -> None:
    assert parse('{{ a }} says {"b": {{ c }}}') == (Tag("a"), Literal(' says {"b": '), Tag("c"), Literal("}"))


# --- the library --------------------------------------------------------------------------------------------------------


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidPrompt, match=r"format: jinja2 prompts need .* install promptuary\[jinja2\]"):
        parse("{{ a }}")
