"""Mustache against cases of our own in the form of the public specification, and against its files where they are at hand."""

import html
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paths import SHARED
from promptuary.prompt.errors import InvalidPrompt, PromptuaryError, RenderTooLarge
from promptuary.prompt.templates.mustache import parse, partial_names, rename_partials
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.tree import DEPTH_LIMIT, Partial, Section, Tag
from promptuary.prompt.templates.used_names import used_names

SPECIFICATION = SHARED / "data" / "mustache-spec"
CASES = {"comments": 12, "delimiters": 14, "interpolation": 42, "inverted": 22, "partials": 12, "sections": 34}
ESCAPES_HTML = {
    ("interpolation", "HTML Escaping"),
    ("interpolation", "Implicit Iterators - HTML Escaping"),
    ("sections", "Implicit Iterator - HTML Escaping"),
}
"""The cases that do not apply: they expect `&amp;` for `&`. A prompt is no web page, and a model must see what was given."""


def rendered(template: str, data: Any, partials: dict[str, str] | None = None, limit: int = 100_000) -> str:
    return render(parse(template), data, limit=limit, partials=partials)


OWN_CASES: list[tuple[str, str, Any, str]] = [
    # interpolation
    ("text without a tag", "Hello.\n", {}, "Hello.\n"),
    ("a value", "Hello, {{name}}!", {"name": "Ana"}, "Hello, Ana!"),
    ("blanks around the name", "|{{  name  }}|{{{ name }}}|{{& name }}|", {"name": "Ana"}, "|Ana|Ana|Ana|"),
    ("a value is not read as a template", "{{a}} {{b}}", {"a": "{{b}}", "b": "x"}, "{{b}} x"),
    ("marks of HTML stay, in every kind of tag", "{{x}} {{{x}}} {{&x}}", {"x": '& " < >'}, '& " < > & " < > & " < >'),
    ("integers and decimals", "{{n}} {{d}}", {"n": 85, "d": 1.21}, "85 1.21"),
    (
        "true, lists and objects as JSON",
        "{{t}} {{l}} {{o}}",
        {"t": True, "l": [1, "é"], "o": {"a": None}},
        'true [1, "é"] {"a": null}',
    ),
    ("null and what is missing are empty", "({{n}})({{missing}})", {"n": None}, "()()"),
    ("a dotted name", "{{a.b.c}}", {"a": {"b": {"c": "x"}}}, "x"),
    ("a broken chain is empty", "({{a.b.c}})", {"a": {"b": 1}}, "()"),
    ("a dotted name is never one key", "({{a.b}})", {"a.b": "c"}, "()"),
    ("the nearest scope that has the first name decides", "{{#a}}({{b.c}}){{/a}}", {"a": {"b": {}}, "b": {"c": "no"}}, "()"),
    ("a value alone on its line keeps the line", "  {{name}}\n", {"name": "---"}, "  ---\n"),
    # sections
    ("true shows a section once", "({{#on}}yes{{/on}})", {"on": True}, "(yes)"),
    (
        "false, null, nothing and the empty text hide it",
        "{{#f}}1{{/f}}{{#n}}2{{/n}}{{#m}}3{{/m}}{{#e}}4{{/e}}",
        {"f": False, "n": None, "e": ""},
        "",
    ),
    ("zero is a value", "{{#n}}{{.}}{{/n}}", {"n": 0}, "0"),
    ("an object is the section's scope", "{{#a}}{{b}}{{/a}}", {"a": {"b": "x"}}, "x"),
    ("an outer name is seen inside", "{{#a}}{{b}}{{c}}{{/a}}", {"a": {"c": 1}, "b": "x"}, "x1"),
    ("a list shows a section once an item", "{{#items}}[{{n}}]{{/items}}", {"items": [{"n": 1}, {"n": 2}]}, "[1][2]"),
    ("an empty list hides it", "({{#items}}x{{/items}})", {"items": []}, "()"),
    ("the dot is the item", "{{#items}}{{.}};{{/items}}", {"items": ["a", 2, 2.5]}, "a;2;2.5;"),
    ("lists in lists", "{{#rows}}({{#.}}{{.}}{{/.}}){{/rows}}", {"rows": [[1, 2], ["a"]]}, "(12)(a)"),
    ("a section of the same name inside", "{{#a}}A{{#a}}B{{/a}}C{{/a}}", {"a": True}, "ABC"),
    ("a dotted section", "({{#a.b}}x{{/a.b}})({{#a.c.d}}y{{/a.c.d}})", {"a": {"b": True}}, "(x)()"),
    ("blanks in the tags", "|{{# on }}={{/ on }}|", {"on": True}, "|=|"),
    # inverted sections
    (
        "an inverted section shows for nothing",
        "{{^f}}1{{/f}}{{^n}}2{{/n}}{{^m}}3{{/m}}{{^l}}4{{/l}}",
        {"f": False, "n": None, "l": []},
        "1234",
    ),
    ("and not for something", "({{^t}}1{{/t}}{{^l}}2{{/l}}{{^o}}3{{/o}})", {"t": True, "l": [0], "o": {"a": 1}}, "()"),
    # comments
    ("a comment is gone", "1{{! a comment }}2", {}, "12"),
    ("a comment of several lines", "1{{!\n a\n b\n}}2", {}, "12"),
    ("a comment alone on its line takes the line along", "a\n  {{! c }}\nb\n", {}, "a\nb\n"),
    ("a comment with text beside it does not", "a {{! c }}\nb", {}, "a \nb"),
    # standalone lines
    ("section tags alone on their lines leave no line", "a\n{{#on}}\nb\n{{/on}}\nc", {"on": True}, "a\nb\nc"),
    ("also when indented", "a\n  {{#on}}\nb\n  {{/on}}\nc", {"on": True}, "a\nb\nc"),
    ("also with CRLF", "|\r\n{{#on}}\r\n{{/on}}\r\n|", {"on": True}, "|\r\n|"),
    ("also in the first and in the last line", "{{#on}}\nb\n{{/on}}", {"on": True}, "b\n"),
    ("two tags in a line keep the line", "{{#on}}{{/on}}\n|", {"on": True}, "\n|"),
    # delimiters
    ("other delimiters", "{{=<% %>=}}(<%text%>){{x}}", {"text": "Hey"}, "(Hey){{x}}"),
    ("and back", "{{=| |=}}|x|{{x}}|={{ }}=|{{x}}", {"x": "v"}, "v{{x}}v"),
    ("sections under other delimiters", "{{= | | =}}|#on|[|x|]|/on|", {"on": True, "x": 1}, "[1]"),
    ("a change alone on its line leaves no line", "a\n  {{=@ @=}}\nb", {}, "a\nb"),
]


@pytest.mark.parametrize(("template", "data", "expected"), [pytest.param(*case[1:], id=case[0]) for case in OWN_CASES])
def test_a_template_renders_as_the_specification_says(template: str, data: Any, expected: str) -> None:
    assert rendered(template, data) == expected


@pytest.mark.parametrize(
    ("template", "data", "partials", "expected"),
    [
        pytest.param("({{> p}})", {}, {"p": "x"}, "(x)", id="a partial"),
        pytest.param("({{> p}})", {}, {}, "()", id="one that is missing is empty"),
        pytest.param("{{> p}}", {"v": "x"}, {"p": "*{{v}}*"}, "*x*", id="it sees the values"),
        pytest.param("{{#l}}{{> p}}{{/l}}", {"l": [1, 2]}, {"p": "<{{.}}>"}, "<1><2>", id="it sees the item"),
        pytest.param(
            "{{> node}}",
            {"content": "X", "nodes": [{"content": "Y", "nodes": []}]},
            {"node": "{{content}}<{{#nodes}}{{> node}}{{/nodes}}>"},
            "X<Y<>>",
            id="it may hold itself, as deep as the data goes",
        ),
        pytest.param("a\n  {{> p}}\nb", {}, {"p": "1\n2\n"}, "a\n  1\n  2\nb", id="alone on its line it indents every line"),
        pytest.param("a {{> p}}\nb", {}, {"p": "1\n2"}, "a 1\n2\nb", id="within a line it indents nothing"),
        pytest.param(
            "\\\n {{> p}}\n/", {"v": "<\n->"}, {"p": "|\n{{v}}\n|\n"}, "\\\n |\n <\n->\n |\n/", id="a value is not indented"
        ),
        pytest.param("{{=| |=}}|> p|{{v}}", {"v": 1}, {"p": "{{v}}"}, "1{{v}}", id="delimiters do not reach into it"),
    ],
)
def test_a_partial_renders_as_the_specification_says(template: str, data: Any, partials: dict[str, str], expected: str) -> None:
    assert rendered(template, data, partials) == expected


PUBLIC = [
    pytest.param(file.stem, case, id=f"{file.stem}: {case['name']}")
    for file in sorted(SPECIFICATION.glob("*.json"))
    for case in json.loads(file.read_text(encoding="utf-8"))["tests"]
]


OWN = {"name": "a value", "template": "({{a}})", "data": {"a": 1}, "expected": "(1)"}


@pytest.mark.parametrize(("module", "case"), [*PUBLIC, pytest.param("own", OWN, id="own: a value")])
def test_a_case_of_the_public_specification_renders_as_it_says(module: str, case: Any) -> None:
    """Those that escape HTML render what they would have been without; our own cases above cover the rest, too."""
    escapes = (module, case["name"]) in ESCAPES_HTML
    expected = html.unescape(case["expected"]) if escapes else case["expected"]
    assert rendered(case["template"], case["data"], case.get("partials")) == expected
    assert escapes == (expected != case["expected"])


def test_the_public_specification_is_whole_or_not_at_hand() -> None:
    """A part of its files would hide cases; our own cases above need none of them."""
    names = Counter(param.values[0] for param in PUBLIC)
    assert names == (CASES if SPECIFICATION.is_dir() else {})
    named = {(param.values[0], param.values[1]["name"]) for param in PUBLIC}
    assert ESCAPES_HTML - named == (set() if SPECIFICATION.is_dir() else ESCAPES_HTML)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{name", "a tag opened with {{ is never closed (line 1, column 1 of the template)"),
        ("a\nb {{#on}} c", "section 'on' is never closed (line 2, column 3 of the template)"),
        ("{{/on}}", "'on' is closed but was not opened (line 1, column 1 of the template)"),
        ("{{#a}}\n{{#b}}\n{{/a}}", "'a' is closed but was not opened; 'b' is open (line 3, column 1 of the template)"),
        ("{{}}", "an empty tag (line 1, column 1 of the template)"),
        ("{{a b}}", "'a b' is not a name (line 1, column 1 of the template)"),
        ("{{a..b}}", "'a..b' is not a name (line 1, column 1 of the template)"),
        (
            "{{" + ".".join("a" * 33) + "}}",
            f"'{'.'.join('a' * 33)}' looks more than 32 deep (line 1, column 1 of the template)",
        ),
        ("{{#x}}{{a b" + "c" * 1000 + "}}", f"'a b{'c' * 77}…' is not a name (line 1, column 7 of the template)"),
        ("{{> }}", "an empty tag (line 1, column 1 of the template)"),
        ("{{=x=}}", "a change of delimiters needs two of them, as in {{=<% %>=}} (line 1, column 1 of the template)"),
        ("{{#a}}" * 40 + "{{/a}}" * 40, "sections are nested more than 32 deep (line 1, column 193 of the template)"),
    ],
)
def test_a_template_that_does_not_parse_names_its_line_and_what_is_wrong(template: str, words: str) -> None:
    with pytest.raises(InvalidPrompt) as raised:
        parse(template, "template.1.content")
    assert [(error.path, error.message) for error in raised.value.field_errors] == [("template.1.content", words)]


def nested_sections(depth: int) -> str:
    return "{{#a}}" * depth + "x" + "{{/a}}" * depth


def test_sections_nest_up_to_the_limit_and_no_deeper() -> None:
    assert rendered(nested_sections(DEPTH_LIMIT), {"a": True}) == "x"
    with pytest.raises(InvalidPrompt, match=f"sections are nested more than {DEPTH_LIMIT} deep"):
        parse(nested_sections(DEPTH_LIMIT + 1))


def test_a_dotted_name_has_up_to_the_limit_of_parts() -> None:
    assert parse("{{" + ".".join("a" * DEPTH_LIMIT) + "}}") == (Tag(".".join("a" * DEPTH_LIMIT)),)
    with pytest.raises(InvalidPrompt, match=f"looks more than {DEPTH_LIMIT} deep"):
        parse("{{" + ".".join("a" * (DEPTH_LIMIT + 1)) + "}}")


def test_names_are_distinguished_by_how_the_template_uses_them() -> None:
    names = used_names(parse("{{a.b}} {{#list}}{{item}}{{.}}{{/list}}{{^none}}{{shown}}{{/none}}{{> part}}"))
    assert (names.values, names.sections, names.inner, names.partials) == (
        {"a"},
        {"list", "none"},
        {"item", "shown"},
        {"part"},
    )


def test_names_inside_partials_count_also_when_a_partial_contains_itself() -> None:
    names = used_names(parse("{{> p}}{{#l}}{{> q}}{{/l}}"), {"p": parse("{{v}}{{> p}}"), "q": parse("{{w}}")})
    assert (names.values, names.inner, names.partials) == ({"v"}, {"w"}, {"p", "q"})


def test_output_over_the_limit_is_refused_as_soon_as_it_passes() -> None:
    assert rendered("{{x}}{{x}}", {"x": "12345"}, limit=10) == "1234512345"
    with pytest.raises(RenderTooLarge, match="over the limit of 9 characters"):
        rendered("{{x}}{{x}}", {"x": "12345"}, limit=9)


@pytest.mark.parametrize(
    ("template", "partials"),
    [
        ("{{#x}}" * 8 + "{{/x}}" * 8, {}),
        ("{{> p}}", {"p": "{{> p}}"}),
        ("{{> p}}", {f"p{'p' * n}"[1:]: f"{{{{> p{'p' * n}}}}}" * 2 for n in range(1, 30)}),
    ],
    ids=["sections over long lists", "a partial in itself", "partials that double"],
)
def test_a_loop_that_gives_no_output_ends_at_the_limit_too(template: str, partials: dict[str, str]) -> None:
    with pytest.raises(RenderTooLarge):
        rendered(template, {"x": [1] * 30}, partials, limit=10_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
TAGS = "{{#a}} {{^a}} {{/a}} {{a}} {{.}} {{a.b}} {{{b}}} {{&c}} {{!x}} {{>p}} <%b%> {{ }} {{{ }}} x = } {".split()
pieces = st.sampled_from([*TAGS, "{{=<% %>=}}", "<%={{ }}=%>", "\n", "\r\n", " "])


@given(st.lists(pieces, max_size=12).map("".join), st.dictionaries(st.sampled_from("abc"), json_values), st.text(max_size=20))
def test_no_template_and_no_value_raises_anything_but_our_own_errors(template: str, values: dict[str, Any], part: str) -> None:
    try:
        rendered(template, values, {"p": part}, limit=1000)
    except PromptuaryError:
        pass


@given(st.text(alphabet="{}#^/!>&=. a\n", max_size=30))
def test_a_value_that_looks_like_a_template_comes_out_as_it_is(value: str) -> None:
    assert rendered("<{{x}}>{{#l}}<{{.}}>{{/l}}", {"x": value, "l": [value], "a": "no"}) == f"<{value}>" + (f"<{value}>")


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_a_tag_renders_as_it_is(text: str) -> None:
    assert rendered(text, {}) == text


# --- partials by name ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("no tag at all", []),
        ("{{> b}} {{>a}} {{> b }}", ["b", "a"]),
        ("{{> a.b@staging}}{{> a.b@3}}{{> a.b}}", ["a.b@staging", "a.b@3", "a.b"]),
        ("{{#on}}{{> a}}{{/on}}{{^on}}{{> b}}{{/on}}", ["a", "b"]),
        ("{{! {{> a}} }}{{!> b}}{{> c}}", ["c"]),
        ("{{=<% %>=}}{{> a}}<%> b%><%={{ }}=%>{{> c}}<%> d%>", ["b", "c"]),
        ("x\n  {{>\n a\n}}\ny", ["a"]),
    ],
    ids=["none", "each once, as they stand", "labels and numbers", "in sections", "comments", "other delimiters", "over lines"],
)  # fmt: skip
def test_the_partials_that_a_template_puts_in_are_listed(template: str, expected: list[str]) -> None:
    assert partial_names(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{> a}}, {{>a}}, {{>  a\t}}", "{{> a@3}}, {{>a@3}}, {{>  a@3\t}}"),
        ("a {{a}} {{#a}}{{/a}} {{> ab}} {{> a.b}}", "a {{a}} {{#a}}{{/a}} {{> ab}} {{> a.b}}"),
        ("  {{> a}}  \r\n{{! {{> a}} }}{{!> a}}", "  {{> a@3}}  \r\n{{! {{> a}} }}{{!> a}}"),
        ("{{=<% %>=}}{{> a}}<%>a%><%={{ }}=%>{{> a}}", "{{=<% %>=}}{{> a}}<%>a@3%><%={{ }}=%>{{> a@3}}"),
        ("{{> b}}{{> a}}", "{{> a}}{{> a@3}}"),
    ],
    ids=["every place", "nothing but partials", "blanks, lines and comments", "other delimiters", "names that change places"],
)
def test_partials_are_renamed_and_every_other_character_stays(template: str, expected: str) -> None:
    assert rename_partials(template, {"a": "a@3", "b": "a"}) == expected


@pytest.mark.parametrize(
    ("template", "name"),
    [("{{> a}}", "x y"), ("{{> a}}", ""), ("{{> a}}", "x}}y"), ("{{=@ @=}}@> a@", "a@3"), ("{{=|| ||=}}||>a||", "x|")],
)
def test_a_new_name_that_would_be_read_as_another_is_refused(template: str, name: str) -> None:
    with pytest.raises(InvalidPrompt):
        rename_partials(template, {"a": name})


@pytest.mark.parametrize("act", [partial_names, lambda template: rename_partials(template, {})])
def test_partials_are_not_looked_for_in_what_does_not_parse(act: Any) -> None:
    with pytest.raises(InvalidPrompt, match="never closed"):
        act("{{> a}}{{#b}}")


partial_pieces = st.sampled_from(
    [
        *("{{> p}}", "{{>p}}", "{{>  q@3\n}}", "  {{> p}}\n", "\n\t{{>p.q}}\r\n", "<%> p%>", "<%>q@3 %>"),
        *("{{!> p}}", "{{! {{> p}} }}"),
        *("{{#a}}", "{{/a}}", "{{^a}}", "{{a}}", "{{{p}}}", "<%!> p%>", "\n", " ", "> p", "p", "}}", "%>", "|> p|"),
        *("{{=<% %>=}}", "<%={{ }}=%>", "{{=| |=}}", "|={{ }}=|"),
    ]
)  # fmt: skip
templates_with_partials = st.lists(partial_pieces, max_size=14).map("".join)


def parsed_or_none(template: str) -> Any:
    try:
        return parse(template)
    except InvalidPrompt:
        return None


def names_of(nodes: Any) -> list[str]:
    """Return the names of the partials in a tree, in order; positions in the source are ignored."""
    names = []
    for node in nodes:
        names += [node.name] if isinstance(node, Partial) else names_of(node.body) if isinstance(node, Section) else []
    return names


@given(templates_with_partials)
def test_renaming_nothing_changes_nothing(template: str) -> None:
    if (tree := parsed_or_none(template)) is None:
        return
    assert rename_partials(template, {}) == template
    assert partial_names(template) == list(dict.fromkeys(names_of(tree)))


@given(templates_with_partials)
def test_a_renamed_template_differs_in_the_names_of_its_partials_alone(template: str) -> None:
    if (tree := parsed_or_none(template)) is None:
        return
    there = {"p": "other.name@12", "q@3": "q@4", "p.q": "p"}
    changed = rename_partials(template, there)
    assert names_of(parse(changed)) == [there[name] for name in names_of(tree)]
    assert rename_partials(changed, {new: old for old, new in there.items()}) == template


@given(templates_with_partials, st.dictionaries(st.just("a"), st.sampled_from([True, [1, 2], "text", None])))
def test_a_template_renders_as_before_after_its_partials_are_renamed(template: str, values: Any) -> None:
    if parsed_or_none(template) is None:
        return
    partials = {"p": "P{{a}}\nP", "q@3": "Q\n", "p.q": "{{#a}}.{{/a}}"}
    there = {"p": "s.p@1", "q@3": "s.q@2"}
    moved = {there.get(name, name): source for name, source in partials.items()}
    assert rendered(rename_partials(template, there), values, moved) == rendered(template, values, partials)
