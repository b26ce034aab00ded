"""Two contents compared: every part's changes, which of them break, and the rule that a diff without a break keeps."""

from typing import Any

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


def told(before: Content, after: Content) -> list[tuple[str, str, Any, Any]]:
    return [(change.path, change.kind, change.before, change.after) for change in compare_contents(before, after).changes]


def breaks(before: Content, after: Content) -> dict[str, str]:
    """The breaking changes, by their paths."""
    return {change.path: change.why for change in compare_contents(before, after).changes if change.why is not None}


# --- the rule -----------------------------------------------------------------------------------------------------------

PIECES = {
    "mustache": ["x", "\n", "{{a}}", "{{b.c}}", "{{#a}}{{c}}{{/a}}", "{{^b}}-{{/b}}", "{{#c}}{{.}}{{/c}}", "{{> p}}"],
    "f-string": ["x", "\n", "{a}", "{b}", "{c}"],
}
MESSAGES = [{"role": "user", "content": "hi"}]
GIVEN = [*VALUES, MESSAGES, MESSAGES * 2, [{"role": "user"}]]


@st.composite
def contents(draw: st.DrawFn, variables: dict[str, Any]) -> Content | None:
    """A content that uses some names, of which some are declared as they are given."""
    form = draw(st.sampled_from(["mustache", "mustache", "f-string"]))
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
    for _ in range(3):  # what does not fit is left out, so that most drawings become a prompt
        content = Content.model_validate(body)
        try:
            prepare(content)
        except InvalidPrompt as error:
            for fault in error.field_errors:
                first, _, name = fault.path.partition(".")
                body["variables"].pop(name, None)
                if first == "context":
                    body.pop("context", None)
        else:
            return content
    return None


@st.composite
def versions(draw: st.DrawFn) -> tuple[Content, Content]:
    """Two contents: unlike each other, or the second one a little different from the first."""
    drawn = {name: draw(variable_pairs()) for name in "abch"}
    old = draw(contents({name: pair[0].model_dump() for name, pair in drawn.items()})) or text("x")
    if draw(st.integers(0, 3)) == 0:
        return old, draw(contents({name: pair[1].model_dump() for name, pair in drawn.items()})) or text("x")
    body = old.model_dump()
    if draw(st.booleans()):
        body["variables"] |= {name: drawn[name][1].model_dump() for name in old.variables}
    if old.type == "chat" and draw(st.booleans()):
        name = draw(st.sampled_from([*prepare(old).variables, "h"]))
        more = [{"role": "placeholder", "name": name}, {"role": "user", "content": "{{" + name + "}}"}]
        body["template"].append(draw(st.sampled_from(more)))
    new = Content.model_validate(body)
    try:
        prepare(new)
    except InvalidPrompt:
        return old, old
    return old, new


def renders(prepared: PreparedPrompt, values: dict[str, Any]) -> bool:
    """Whether a render with these values is taken, by the service and by a program that renders by itself."""
    passages = [Passage("p", 0.5, "c", "d", 0, "sha256:0", {})] if prepared.content.context else []
    try:
        prepared.render(values, passages)
        prepared.query_text(values)
    except InvalidVariables:
        return False
    return True


@settings(max_examples=200)
@given(versions(), st.data())
def test_where_nothing_breaks_the_new_version_takes_all_values_that_the_old_one_took(
    pair: tuple[Content, Content], data: st.DataObject
) -> None:
    before, after = pair
    found = compare_contents(before, after)
    if found.breaking:
        return
    old, new = prepare(before), prepare(after)
    for _ in range(5):
        values = {
            name: data.draw(st.sampled_from([value for value in GIVEN if renders_alone(old, name, value)] or [None]))
            for name in old.variables
            if data.draw(st.booleans()) or (old.variables[name].required and old.variables[name].default is None)
        }
        if renders(old, values):
            assert renders(new, values), (found, values)


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
    found = compare_contents(before, after)
    assert (found.changes == ()) == (content_digest(before) == content_digest(after))
    assert found.breaking == bool(found.reasons)
    for change in found.changes:
        assert change.path.split(".")[0] == change.part
        assert {"added": change.before is None, "removed": change.after is None}.get(change.kind, True)


# --- the template -------------------------------------------------------------------------------------------------------


def test_a_text_is_compared_line_by_line() -> None:
    (change,) = compare_contents(text("Hi {{ticket}}\nBye"), text("Hello {{ticket}}\nBye")).changes
    assert (change.part, change.path, change.kind, change.breaking) == ("template", "template", "changed", False)
    assert change.diff == "@@ -1,2 +1,2 @@\n-Hi {{ticket}}\n+Hello {{ticket}}\n Bye"


def test_messages_are_added_removed_and_changed_at_their_places() -> None:
    shorter = {**SYSTEM, "content": "Sort it.\nOne word."}
    before = chat(SYSTEM, {"role": "assistant", "content": "Yes?"}, USER)
    after = chat(shorter, USER, {"role": "assistant", "content": "Intent:"})
    assert told(before, after) == [
        ("template.0.content", "changed", SYSTEM["content"], shorter["content"]),
        ("template.1", "removed", {"role": "assistant", "content": "Yes?"}, None),
        ("template.2", "added", None, {"role": "assistant", "content": "Intent:"}),
    ]
    assert compare_contents(before, after).changes[0].diff == "@@ -1,3 +1,2 @@\n Sort it.\n-Be kind.\n One word."


def test_a_role_that_changed_is_told_as_that_and_breaks_nothing() -> None:
    found = compare_contents(chat(SYSTEM, USER), chat({**SYSTEM, "role": "user"}, USER))
    assert [(change.path, change.before, change.after) for change in found.changes] == [("template.0.role", "system", "user")]
    assert not found.breaking


def test_a_message_put_in_front_leaves_the_others_where_they_were() -> None:
    first = {"role": "system", "content": "Be kind."}
    assert told(chat(SYSTEM, USER), chat(first, SYSTEM, USER)) == [("template.0", "added", None, first)]


def test_a_template_of_the_other_type_breaks_every_reader() -> None:
    assert breaks(text(), chat(USER)) == {"type": "a render gives messages instead of a text"}
    assert breaks(chat(USER), text()) == {"type": "a render gives a text instead of messages"}
    assert told(text(), chat(USER))[1] == ("template", "changed", "{{ticket}}", [USER])


def test_a_variable_that_becomes_a_placeholder_takes_fewer_values() -> None:
    said = {"variables": {"history": {"type": "array"}}}
    listed = chat(USER, {"role": "user", "content": "{{#history}}{{.}}{{/history}}"}, **said)
    assert breaks(listed, chat(USER, HISTORY, **said)) == {
        "template.1": "the variable 'history' is a placeholder now and takes only a list of messages"
    }
    assert breaks(chat(USER, HISTORY, **said), listed) == {}
    examples = chat(USER, {"role": "placeholder", "name": "examples"}, {"role": "user", "content": "{{history}}"}, **said)
    assert breaks(examples, chat(USER, HISTORY, {"role": "user", "content": "{{history}}"}, **said)) == {
        "template.1.name": "the variable 'history' is a placeholder now and takes only a list of messages",
        "variables.examples": "the variable 'examples' is gone, and a render that gives it is refused",
    }


def test_a_placeholder_is_judged_as_the_variable_that_it_is() -> None:
    assert breaks(chat(USER), chat(HISTORY, USER)) == {"variables.history": "the variable 'history' is new and must be given"}
    assert breaks(chat(USER), chat(HISTORY, USER, variables={"history": {"type": "array", "required": False}})) == {}
    assert breaks(chat(HISTORY, USER), chat(USER)) == {
        "variables.history": "the variable 'history' is gone, and a render that gives it is refused"
    }


# --- variables ----------------------------------------------------------------------------------------------------------


def test_a_variable_counts_whether_it_is_declared_or_only_used() -> None:
    new = {"declared": False, "required": True}
    assert told(text(), text("{{ticket}} {{tone}}"))[1] == ("variables.tone", "added", None, new)
    assert breaks(text(), text("{{ticket}} {{tone}}")) == {"variables.tone": "the variable 'tone' is new and must be given"}
    assert breaks(text(), text("{{ticket}}{{#tone}}!{{/tone}}")) == {}
    assert breaks(text(), text("{{ticket}} {{tone}}", variables={"tone": {"default": "kind"}})) == {}


def test_a_declaration_that_says_nothing_new_is_a_change_that_breaks_nothing() -> None:
    assert told(text(), text(variables={"ticket": {}})) == [("variables.ticket.declared", "changed", False, True)]
    assert breaks(text(), text(variables={"ticket": {}})) == {}


def test_each_word_of_a_variable_is_told_and_only_what_narrows_breaks() -> None:
    before = text(variables={"ticket": {"type": "string", "maxLength": 4000, "description": "a"}})
    after = text(variables={"ticket": {"type": "string", "maxLength": 200, "default": "x", "sensitive": True}})
    assert told(before, after) == [
        ("variables.ticket.description", "removed", "a", None),
        ("variables.ticket.maxLength", "changed", 4000, 200),
        ("variables.ticket.default", "added", None, "x"),
        ("variables.ticket.sensitive", "added", None, True),
    ]
    assert breaks(before, after) == {"variables.ticket.maxLength": "the variable 'ticket' has maxLength 200 now, and had 4000"}
    assert breaks(after, before) == {
        "variables.ticket.default": "the variable 'ticket' has lost its default and must be given now"
    }


def test_an_optional_variable_that_is_gone_breaks_too_for_a_render_refuses_what_it_does_not_know() -> None:
    assert set(breaks(text("{{#tone}}!{{/tone}}"), text("!"))) == {"variables.tone"}


# --- the other parts ----------------------------------------------------------------------------------------------------


def test_the_formats_of_simple_templates_render_alike() -> None:
    found = compare_contents(text("Hi {{a}}"), text("Hi {a}", format="f-string"))
    assert [(change.path, change.breaking) for change in found.changes] == [("template", False), ("format", False)]


def test_the_model_may_change_but_not_go() -> None:
    before, after = text(model={"name": "local:a", "temperature": 0}), text(model={"name": "local:b", "max_tokens": 9})
    assert told(before, after) == [
        ("model.name", "changed", "local:a", "local:b"),
        ("model.temperature", "removed", 0.0, None),
        ("model.max_tokens", "added", None, 9),
    ]
    assert breaks(before, after) == breaks(text(), before) == {}
    assert list(breaks(before, text())) == ["model"]


def test_partials_are_compared_as_texts_and_what_they_use_are_variables() -> None:
    before = text("{{> tone}}", partials={"tone": "Be kind.\nBe short."})
    after = text("{{> tone}}", partials={"tone": "Be kind.\nBe {{how}}."})
    partial, variable = compare_contents(before, after).changes[::-1]
    assert (partial.path, partial.diff) == ("partials.tone", "@@ -1,2 +1,2 @@\n Be kind.\n-Be short.\n+Be {{how}}.")
    assert (variable.path, variable.breaking) == ("variables.how", True)
    other = text("{{> style}}", partials={"style": "Be kind."})
    assert [change[:2] for change in told(before, other)[1:]] == [("partials.tone", "removed"), ("partials.style", "added")]


def test_a_context_that_comes_goes_or_fills_another_name_breaks() -> None:
    without, bound = text("{{ticket}}{{#examples}}{{/examples}}"), text("{{ticket}}{{#examples}}{{/examples}}", context=CONTEXT)
    assert list(breaks(without, bound)) == ["variables.examples", "context"]
    assert list(breaks(bound, without)) == ["context"]
    both = "{{ticket}} {{#examples}}{{/examples}}{{#handbook}}{{/handbook}}"
    other = breaks(text(both, context=CONTEXT), text(both, context={**CONTEXT, "into": "handbook"}))
    assert "context.into" in other
    assert breaks(bound, text(bound.template, context={**CONTEXT, "k": 9, "collection": "more", "query": "x"})) == {}  # type: ignore[arg-type]


# --- the model's answer -------------------------------------------------------------------------------------------------

ANSWER = {"type": "object", "properties": {"intent": {"enum": ["a", "b"]}, "why": {"type": "string"}}, "required": ["intent"]}


def formed(schema: dict[str, Any], *, strict: bool = True) -> Content:
    wrapped = {"type": "json_schema", "json_schema": {"name": "answer", "strict": strict, "schema": schema}}
    return text(response_format=wrapped)


def test_a_field_that_is_taken_away_breaks_and_one_that_is_added_does_not() -> None:
    fewer = {**ANSWER, "properties": {"intent": {"enum": ["a", "b"]}}}
    path = "response_format.json_schema.schema.properties.why"
    assert breaks(formed(ANSWER), formed(fewer)) == {path: "the answer's field 'why' is taken away"}
    assert breaks(formed(fewer), formed(ANSWER)) == {}
    assert told(formed(fewer), formed(ANSWER)) == [(path, "added", None, {"type": "string"})]


def test_free_text_and_json_are_two_kinds_of_answers() -> None:
    assert breaks(text(), formed(ANSWER)) == {"response_format": "the answer was free text and is JSON of a form now"}
    assert breaks(formed(ANSWER), text(response_format={"type": "text"})) == {
        "response_format": "the answer was JSON of a known form and is free text now"
    }
    assert breaks(text(), text(response_format={"type": "text"})) == {}
    loose = text(response_format={"type": "json_object"})
    assert breaks(loose, formed(ANSWER)) == {}
    assert "the answer's field 'intent' is taken away" in breaks(formed(ANSWER), loose)["response_format"]


def test_a_schema_in_another_wrapping_is_the_same_schema() -> None:
    for wrapped in (ANSWER, {"schema": ANSWER}, {"type": "json_schema", "schema": ANSWER, "strict": True}):
        assert breaks(formed(ANSWER), text(response_format=wrapped)) == {}
        assert breaks(text(response_format=wrapped), formed(ANSWER)) == {}


def test_a_form_that_is_no_longer_enforced_is_told() -> None:
    assert list(breaks(formed(ANSWER), formed(ANSWER, strict=False))) == ["response_format.json_schema.strict"]
    assert breaks(formed(ANSWER, strict=False), formed(ANSWER)) == {}
    flat = {"type": "json_schema", "schema": ANSWER, "strict": True}
    loose = {**flat, "strict": False}
    assert list(breaks(text(response_format=flat), text(response_format=loose))) == ["response_format.strict"]


def tool(name: str = "look_up", **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"type": "function", "function": {"name": name, "description": "Looks up.", "parameters": parameters}}


def test_tools_are_compared_by_the_names_of_their_functions() -> None:
    before, after = text(tools=[tool("a"), tool("b")]), text(tools=[tool("b"), tool("c")])
    assert breaks(before, after) == {
        "tools.a": "the tool 'a' is taken away",
        "tools.c": "the tool 'c' is new, and an application that does not know it may be told to call it",
    }
    assert told(before, text(tools=[tool("b"), tool("a")])) == [("tools", "changed", ["a", "b"], ["b", "a"])]
    assert told(text(), text(tools=[])) == [("tools", "changed", [], [])]


def test_a_tools_arguments_are_read_by_a_function_that_knows_no_others() -> None:
    city, unit = {"type": "string"}, {"enum": ["c", "f"]}
    path = "tools.look_up.function.parameters"
    assert set(breaks(text(tools=[tool(city=city)]), text(tools=[tool(city=city, unit=unit)]))) == {f"{path}.properties.unit"}
    assert set(breaks(text(tools=[tool(city=city, unit=unit)]), text(tools=[tool(city=city)]))) == {f"{path}.properties.unit"}
    other = {"name": "look_up", "description": "Finds.", "input_schema": tool(city=city)["function"]["parameters"]}
    assert breaks(text(tools=[tool(city=city)]), text(tools=[other])) == {}
    assert breaks(text(tools=[other]), text(tools=[tool(unit=unit)])).keys() == {"tools.look_up"}
    assert breaks(text(tools=[{"name": "look_up"}]), text(tools=[{"name": "look_up", "parameters": {}}])) == {}


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
def test_whatever_stands_for_tools_and_answers_is_compared(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    before, after = (text(tools=tools, response_format=(tools or [None])[0]) for tools in (old, new))
    found = compare_contents(before, after)
    assert (found.changes == ()) == (content_digest(before) == content_digest(after))
    assert compare_contents(before, before).changes == ()
    lost = response_losses(before.response_format, after.response_format) | tool_losses(before.tools, after.tools)
    assert {change.path: change.why for change in found.changes if change.breaking} == lost
