"""The comparison of two contents: the changes of every part, which are breaking, and the guarantee of a diff without one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories.variable_schemas import VALUES, variable_pairs
from promptuary.prompt.content import Content
from promptuary.prompt.diff.contents import compare_contents
from promptuary.prompt.diff.output_contract import response_losses, tool_losses
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt

USER = {"role": "user", "content": "{{ticket}}"}
SYSTEM = {"role": "system", "content": "Sort it.\nBe kind.\nOne word."}
HISTORY = {"role": "placeholder", "name": "history"}
CONTEXT = {"collection": "tickets", "query": "{{ticket}}", "into": "examples"}


def text(template: str = "{{ticket}}", **more: Any) -> Content:
    return Content.model_validate({"type": "text", "template": template, **more})


def chat(*template: dict[str, str], **more: Any) -> Content:
    return Content.model_validate({"type": "chat", "template": list(template), **more})


def content_changes(before: Content, after: Content) -> list[tuple[str, str, Any, Any]]:
    return [(change.path, change.kind, change.before, change.after) for change in compare_contents(before, after).changes]


def breaking_reasons(before: Content, after: Content) -> dict[str, str]:
    """Return the reasons of the breaking changes by path."""
    return {change.path: change.why for change in compare_contents(before, after).changes if change.why is not None}


# --- the guarantee -----------------------------------------------------------------------------------------------------------

PIECES = {
    "mustache": ["x", "\n", "{{a}}", "{{b.c}}", "{{#a}}{{c}}{{/a}}", "{{^b}}-{{/b}}", "{{#c}}{{.}}{{/c}}", "{{> p}}"],
    "simple": ["x", "\n", "{{a}}", "{{ b }}", "{{b.c}}", "{{#a}}", "{"],
    "f-string": ["x", "\n", "{a}", "{b}", "{c}"],
}
MESSAGES = [{"role": "user", "content": "hi"}]
ALL_VALUES = [*VALUES, MESSAGES, MESSAGES * 2, [{"role": "user"}]]


@st.composite
def contents(draw: st.DrawFn, variables: dict[str, Any]) -> Content | None:
    """Draw a content that uses some names, some of them declared as in `variables`; None where it would not be valid."""
    form = draw(st.sampled_from(["mustache", "mustache", "simple", "f-string"]))
    pieces = st.lists(st.sampled_from(PIECES[form]), max_size=3).map("".join)
    body: dict[str, Any] = {"type": draw(st.sampled_from(["text", "chat", "chat"])), "format": form}
    if body["type"] == "text":
        body["template"] = draw(pieces)
    else:
        message = st.builds(
            lambda role, content: {"role": role, "content": content}, st.sampled_from(["system", "user"]), pieces
        )
        placeholder = st.sampled_from("ah").map(lambda name: {"role": "placeholder", "name": name})
        body["template"] = draw(st.lists(message | message | placeholder, min_size=1, max_size=3))
    if "{{> p}}" in str(body["template"]):
        body["partials"] = {"p": draw(pieces.filter(lambda source: "{{> p}}" not in source))}
    if draw(st.integers(0, 3)) == 0:
        into = draw(st.sampled_from("abch"))
        body["context"] = {"collection": "c", "query": draw(st.sampled_from(["x", "{{a}}", "{{d}}"])), "into": into}
        body["context"]["turns"] = [{"role": "user", "content": "{{text}}"}]
    declared = draw(st.sets(st.sampled_from(sorted(variables)), max_size=3))
    body["variables"] = {name: variables[name] for name in sorted(declared)}
    for _ in range(3):  # drop what is not valid, so that most draws result in a prompt
        content = Content.model_validate(body)
        try:
            prepare(content)
        except InvalidPrompt as error:
            for field_error in error.field_errors:
                first, _, name = field_error.path.partition(".")
                body["variables"].pop(name, None)
                if first == "context":
                    body.pop("context", None)
        else:
            return content
    return None


@st.composite
def versions(draw: st.DrawFn) -> tuple[Content, Content]:
    """Draw two contents: independent ones, or a second that differs a little from the first."""
    drawn = {name: draw(variable_pairs()) for name in "abch"}
    old = draw(contents({name: pair[0].model_dump() for name, pair in drawn.items()})) or text("x")
    if draw(st.integers(0, 3)) == 0:
        return old, draw(contents({name: pair[1].model_dump() for name, pair in drawn.items()})) or text("x")
    body = old.model_dump()
    if draw(st.booleans()):
        body["variables"] |= {name: drawn[name][1].model_dump() for name in old.variables}
    if old.type == "chat" and draw(st.booleans()):
        name = draw(st.sampled_from([*(name for name in prepare(old).variables if "." not in name), "h"]))
        more = [{"role": "placeholder", "name": name}, {"role": "user", "content": "{{" + name + "}}"}]
        body["template"].append(draw(st.sampled_from(more)))
    new = Content.model_validate(body)
    try:
        prepare(new)
    except InvalidPrompt:
        return old, old
    return old, new


def renders(prepared: PreparedPrompt, values: dict[str, Any]) -> bool:
    """Return whether a render with the values succeeds, in the service and in a program that renders by itself."""
    passages = [Passage("p", 0.5, "c", "d", 0, "sha256:0", {})] if prepared.content.context else []
    try:
        prepared.render(values, passages)
        prepared.query_text(values)
    except InvalidVariables:
        return False
    return True


@settings(max_examples=200)
@given(versions(), st.data())
def test_without_a_breaking_change_the_new_version_accepts_all_old_values(
    pair: tuple[Content, Content], data: st.DataObject
) -> None:
    before, after = pair
    diff = compare_contents(before, after)
    if diff.breaking:
        return
    old, new = prepare(before), prepare(after)
    for _ in range(5):
        values = {
            name: data.draw(st.sampled_from([value for value in ALL_VALUES if renders_alone(old, name, value)] or [None]))
            for name in old.variables
            if data.draw(st.booleans()) or (old.variables[name].required and old.variables[name].default is None)
        }
        if renders(old, values):
            assert renders(new, values), (diff, values)


def renders_alone(prepared: PreparedPrompt, name: str, value: Any) -> bool:
    from promptuary.prompt.variables import validate_values

    try:
        validate_values({name: prepared.variables[name]}, {name: value})
    except InvalidVariables:
        return False
    return name not in prepared.content.placeholders() or value in (None, False, "", [], {}, MESSAGES, MESSAGES * 2)


@settings(max_examples=150)
@given(versions())
def test_there_is_no_change_exactly_where_the_digests_are_equal(pair: tuple[Content, Content]) -> None:
    before, after = pair
    diff = compare_contents(before, after)
    assert (diff.changes == ()) == (content_digest(before) == content_digest(after))
    assert diff.breaking == bool(diff.reasons)
    for change in diff.changes:
        assert change.path.split(".")[0] == change.part
        assert {"added": change.before is None, "removed": change.after is None}.get(change.kind, True)


# --- the template -------------------------------------------------------------------------------------------------------


def test_a_text_is_compared_line_by_line() -> None:
    (change,) = compare_contents(text("Hi {{ticket}}\nBye"), text("Hello {{ticket}}\nBye")).changes
    assert (change.part, change.path, change.kind, change.breaking) == ("template", "template", "changed", False)
    assert change.diff == "@@ -1,2 +1,2 @@\n-Hi {{ticket}}\n+Hello {{ticket}}\n Bye"


def test_messages_are_added_removed_and_changed_at_their_indices() -> None:
    shorter = {**SYSTEM, "content": "Sort it.\nOne word."}
    before = chat(SYSTEM, {"role": "assistant", "content": "Yes?"}, USER)
    after = chat(shorter, USER, {"role": "assistant", "content": "Intent:"})
    assert content_changes(before, after) == [
        ("template.0.content", "changed", SYSTEM["content"], shorter["content"]),
        ("template.1", "removed", {"role": "assistant", "content": "Yes?"}, None),
        ("template.2", "added", None, {"role": "assistant", "content": "Intent:"}),
    ]
    assert compare_contents(before, after).changes[0].diff == "@@ -1,3 +1,2 @@\n Sort it.\n-Be kind.\n One word."


def test_another_role_is_a_change_of_the_role_and_not_breaking() -> None:
    diff = compare_contents(chat(SYSTEM, USER), chat({**SYSTEM, "role": "user"}, USER))
    assert [(change.path, change.before, change.after) for change in diff.changes] == [("template.0.role", "system", "user")]
    assert not diff.breaking


def test_a_message_added_in_front_is_the_only_change() -> None:
    first = {"role": "system", "content": "Be kind."}
    assert content_changes(chat(SYSTEM, USER), chat(first, SYSTEM, USER)) == [("template.0", "added", None, first)]


def test_another_type_of_template_is_breaking() -> None:
    assert breaking_reasons(text(), chat(USER)) == {"type": "a render returns messages instead of a text"}
    assert breaking_reasons(chat(USER), text()) == {"type": "a render returns a text instead of messages"}
    assert content_changes(text(), chat(USER))[1] == ("template", "changed", "{{ticket}}", [USER])


def test_a_variable_that_becomes_a_placeholder_accepts_fewer_values() -> None:
    more = {"variables": {"history": {"type": "array"}}}
    listed = chat(USER, {"role": "user", "content": "{{#history}}{{.}}{{/history}}"}, **more)
    assert breaking_reasons(listed, chat(USER, HISTORY, **more)) == {
        "template.1": "the variable 'history' is a placeholder now and accepts only a list of messages"
    }
    assert breaking_reasons(chat(USER, HISTORY, **more), listed) == {}
    examples = chat(USER, {"role": "placeholder", "name": "examples"}, {"role": "user", "content": "{{history}}"}, **more)
    assert breaking_reasons(examples, chat(USER, HISTORY, {"role": "user", "content": "{{history}}"}, **more)) == {
        "template.1.name": "the variable 'history' is a placeholder now and accepts only a list of messages",
        "variables.examples": "the variable 'examples' is removed, and a render with a value for it is refused",
    }


def test_a_placeholder_follows_the_rules_of_variables() -> None:
    assert breaking_reasons(chat(USER), chat(HISTORY, USER)) == {
        "variables.history": "the variable 'history' is new and must be given"
    }
    assert breaking_reasons(chat(USER), chat(HISTORY, USER, variables={"history": {"type": "array", "required": False}})) == {}
    assert breaking_reasons(chat(HISTORY, USER), chat(USER)) == {
        "variables.history": "the variable 'history' is removed, and a render with a value for it is refused"
    }


# --- variables ----------------------------------------------------------------------------------------------------------


def test_a_variable_counts_whether_it_is_declared_or_only_used() -> None:
    new = {"declared": False, "required": True}
    assert content_changes(text(), text("{{ticket}} {{tone}}"))[1] == ("variables.tone", "added", None, new)
    assert breaking_reasons(text(), text("{{ticket}} {{tone}}")) == {
        "variables.tone": "the variable 'tone' is new and must be given"
    }
    assert breaking_reasons(text(), text("{{ticket}}{{#tone}}!{{/tone}}")) == {}
    assert breaking_reasons(text(), text("{{ticket}} {{tone}}", variables={"tone": {"default": "kind"}})) == {}


def test_a_declaration_without_limits_is_a_change_and_not_breaking() -> None:
    assert content_changes(text(), text(variables={"ticket": {}})) == [("variables.ticket.declared", "changed", False, True)]
    assert breaking_reasons(text(), text(variables={"ticket": {}})) == {}


def test_each_keyword_of_a_variable_is_a_change_and_a_narrowing_breaks() -> None:
    before = text(variables={"ticket": {"type": "string", "maxLength": 4000, "description": "a"}})
    after = text(variables={"ticket": {"type": "string", "maxLength": 200, "default": "x", "sensitive": True}})
    assert content_changes(before, after) == [
        ("variables.ticket.description", "removed", "a", None),
        ("variables.ticket.maxLength", "changed", 4000, 200),
        ("variables.ticket.default", "added", None, "x"),
        ("variables.ticket.sensitive", "added", None, True),
    ]
    assert breaking_reasons(before, after) == {
        "variables.ticket.maxLength": "the variable 'ticket' has maxLength 200 now and had 4000"
    }
    assert breaking_reasons(after, before) == {
        "variables.ticket.default": "the variable 'ticket' has lost its default and must be given now"
    }


def test_the_removal_of_an_optional_variable_is_breaking() -> None:
    assert set(breaking_reasons(text("{{#tone}}!{{/tone}}"), text("!"))) == {"variables.tone"}


# --- order, numbers and the config ---------------------------------------------------------------------------------------


def test_another_order_is_one_change_with_the_names_in_their_order() -> None:
    before, after = ({"type": "object", "properties": {key: {} for key in names}} for names in ("ab", "ba"))
    assert content_changes(text(response_format=before), text(response_format=after)) == [
        ("response_format.properties", "changed", ["a", "b"], ["b", "a"])
    ]
    assert breaking_reasons(text(response_format=before), text(response_format=after)) == {}
    tools = [{"name": "a", "parameters": {}}, {"name": "b"}]
    assert content_changes(text(tools=tools), text(tools=tools[::-1])) == [("tools", "changed", ["a", "b"], ["b", "a"])]


def test_numbers_of_another_type_are_a_change_where_they_are_digested() -> None:
    assert content_changes(text(config={"a": 1}), text(config={"a": 1.0})) == [("config.a", "changed", 1, 1.0)]
    assert content_changes(text(model={"name": "m", "seed": 1}), text(model={"name": "m", "seed": 1})) == []


def test_each_member_of_a_config_is_a_change_and_a_removed_one_breaks() -> None:
    before, after = text(config={"a": {"b": 1, "c": None}, "d": "x"}), text(config={"a": {"b": "1", "e": []}, "d": "y"})
    assert content_changes(before, after) == [
        ("config.a.b", "changed", 1, "1"),
        ("config.a.c", "removed", None, None),
        ("config.a.e", "added", None, []),
        ("config.d", "changed", "x", "y"),
    ]
    assert breaking_reasons(before, after) == {
        "config.a.b": "a program that reads 'config.a.b' gets a value of another type",
        "config.a.c": "a program that reads 'config.a.c' gets nothing",
    }
    assert list(breaking_reasons(before, text())) == ["config"]
    assert breaking_reasons(text(), before) == {}


def test_a_schema_with_integers_beyond_2_53_is_compared() -> None:
    before, after = (text(response_format={"enum": [2**60, number]}) for number in (1, 2))
    assert [change[0] for change in content_changes(before, after)] == ["response_format.enum"]


# --- the other parts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "new", [text("Hi {a}", format="f-string"), text("Hello {{a}}", format="simple")], ids=["f-string", "simple"]
)
def test_a_change_from_mustache_to_a_plainer_format_is_not_breaking(new: Content) -> None:
    diff = compare_contents(text("Hi {{a}}"), new)
    assert [(change.path, change.breaking) for change in diff.changes] == [("template", False), ("format", False)]


def test_another_model_is_not_breaking_and_its_removal_is() -> None:
    before, after = text(model={"name": "local:a", "temperature": 0}), text(model={"name": "local:b", "max_tokens": 9})
    assert content_changes(before, after) == [
        ("model.name", "changed", "local:a", "local:b"),
        ("model.temperature", "removed", 0.0, None),
        ("model.max_tokens", "added", None, 9),
    ]
    assert breaking_reasons(before, after) == breaking_reasons(text(), before) == {}
    assert list(breaking_reasons(before, text())) == ["model"]


def test_partials_are_compared_as_texts_and_their_names_are_variables() -> None:
    before = text("{{> tone}}", partials={"tone": "Be kind.\nBe short."})
    after = text("{{> tone}}", partials={"tone": "Be kind.\nBe {{how}}."})
    partial, variable = compare_contents(before, after).changes[::-1]
    assert (partial.path, partial.diff) == ("partials.tone", "@@ -1,2 +1,2 @@\n Be kind.\n-Be short.\n+Be {{how}}.")
    assert (variable.path, variable.breaking) == ("variables.how", True)
    other = text("{{> style}}", partials={"style": "Be kind."})
    assert [change[:2] for change in content_changes(before, other)[1:]] == [
        ("partials.tone", "removed"),
        ("partials.style", "added"),
    ]


def test_a_context_added_removed_or_with_another_name_is_breaking() -> None:
    without, bound = text("{{ticket}}{{#examples}}{{/examples}}"), text("{{ticket}}{{#examples}}{{/examples}}", context=CONTEXT)
    assert list(breaking_reasons(without, bound)) == ["variables.examples", "context"]
    assert list(breaking_reasons(bound, without)) == ["context"]
    both = "{{ticket}} {{#examples}}{{/examples}}{{#handbook}}{{/handbook}}"
    other = breaking_reasons(text(both, context=CONTEXT), text(both, context={**CONTEXT, "into": "handbook"}))
    assert "context.into" in other
    assert breaking_reasons(bound, text(bound.template, context={**CONTEXT, "k": 9, "collection": "more", "query": "x"})) == {}  # type: ignore[arg-type]


# --- the model's response ------------------------------------------------------------------------------------------------

RESPONSE_SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["a", "b"]}, "why": {"type": "string"}},
    "required": ["intent"],
}


def json_response(schema: dict[str, Any], *, strict: bool = True) -> Content:
    wrapped = {"type": "json_schema", "json_schema": {"name": "answer", "strict": strict, "schema": schema}}
    return text(response_format=wrapped)


def test_a_removed_field_is_breaking_and_an_added_one_is_not() -> None:
    fewer = {**RESPONSE_SCHEMA, "properties": {"intent": {"enum": ["a", "b"]}}}
    path = "response_format.json_schema.schema.properties.why"
    assert breaking_reasons(json_response(RESPONSE_SCHEMA), json_response(fewer)) == {
        path: "the response's field 'why' is removed"
    }
    assert breaking_reasons(json_response(fewer), json_response(RESPONSE_SCHEMA)) == {}
    assert content_changes(json_response(fewer), json_response(RESPONSE_SCHEMA)) == [(path, "added", None, {"type": "string"})]


def test_a_change_between_free_text_and_json_is_breaking() -> None:
    assert breaking_reasons(text(), json_response(RESPONSE_SCHEMA)) == {
        "response_format": "the response was free text and is JSON with a schema now"
    }
    assert breaking_reasons(json_response(RESPONSE_SCHEMA), text(response_format={"type": "text"})) == {
        "response_format": "the response was JSON with a schema and is free text now"
    }
    assert breaking_reasons(text(), text(response_format={"type": "text"})) == {}
    loose = text(response_format={"type": "json_object"})
    assert breaking_reasons(loose, json_response(RESPONSE_SCHEMA)) == {}
    assert (
        "the response's field 'intent' is removed" in breaking_reasons(json_response(RESPONSE_SCHEMA), loose)["response_format"]
    )


def test_a_schema_under_another_key_is_the_same_schema() -> None:
    for wrapped in (
        RESPONSE_SCHEMA,
        {"schema": RESPONSE_SCHEMA},
        {"type": "json_schema", "schema": RESPONSE_SCHEMA, "strict": True},
    ):
        assert breaking_reasons(json_response(RESPONSE_SCHEMA), text(response_format=wrapped)) == {}
        assert breaking_reasons(text(response_format=wrapped), json_response(RESPONSE_SCHEMA)) == {}


def test_a_schema_that_is_no_longer_enforced_is_breaking() -> None:
    assert list(breaking_reasons(json_response(RESPONSE_SCHEMA), json_response(RESPONSE_SCHEMA, strict=False))) == [
        "response_format.json_schema.strict"
    ]
    assert breaking_reasons(json_response(RESPONSE_SCHEMA, strict=False), json_response(RESPONSE_SCHEMA)) == {}
    flat = {"type": "json_schema", "schema": RESPONSE_SCHEMA, "strict": True}
    loose = {**flat, "strict": False}
    assert list(breaking_reasons(text(response_format=flat), text(response_format=loose))) == ["response_format.strict"]


def tool(name: str = "look_up", **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"type": "function", "function": {"name": name, "description": "Looks up.", "parameters": parameters}}


def test_tools_are_compared_by_the_names_of_their_functions() -> None:
    before, after = text(tools=[tool("a"), tool("b")]), text(tools=[tool("b"), tool("c")])
    assert breaking_reasons(before, after) == {
        "tools.a": "the tool 'a' is removed",
        "tools.c": "the tool 'c' is new, and the model may call it in an application that does not know it",
    }
    assert content_changes(before, text(tools=[tool("b"), tool("a")])) == [("tools", "changed", ["a", "b"], ["b", "a"])]
    assert content_changes(text(), text(tools=[])) == [("tools", "changed", [], [])]


def test_a_new_and_a_removed_argument_of_a_tool_are_breaking() -> None:
    city, unit = {"type": "string"}, {"enum": ["c", "f"]}
    path = "tools.look_up.function.parameters"
    assert set(breaking_reasons(text(tools=[tool(city=city)]), text(tools=[tool(city=city, unit=unit)]))) == {
        f"{path}.properties.unit"
    }
    assert set(breaking_reasons(text(tools=[tool(city=city, unit=unit)]), text(tools=[tool(city=city)]))) == {
        f"{path}.properties.unit"
    }
    other = {"name": "look_up", "description": "Finds.", "input_schema": tool(city=city)["function"]["parameters"]}
    assert breaking_reasons(text(tools=[tool(city=city)]), text(tools=[other])) == {}
    assert breaking_reasons(text(tools=[other]), text(tools=[tool(unit=unit)])).keys() == {"tools.look_up"}
    assert breaking_reasons(text(tools=[{"name": "look_up"}]), text(tools=[{"name": "look_up", "parameters": {}}])) == {}


@settings(max_examples=150)
@given(
    *[
        st.lists(
            st.recursive(
                st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "function", "object"]),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(st.sampled_from(["name", "function", "parameters", "schema", "strict", "type"]), inner)
                ),
                max_leaves=6,
            ).filter(lambda value: isinstance(value, dict)),
            max_size=2,
        )
        for _ in range(2)
    ]
)
def test_any_json_as_tools_and_response_format_is_compared(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    before, after = (text(tools=tools, response_format=(tools or [None])[0]) for tools in (old, new))
    diff = compare_contents(before, after)
    assert (diff.changes == ()) == (content_digest(before) == content_digest(after))
    assert compare_contents(before, before).changes == ()
    lost = response_losses(before.response_format, after.response_format) | tool_losses(before.tools, after.tools)
    assert {change.path: change.why for change in diff.changes if change.breaking} == lost
