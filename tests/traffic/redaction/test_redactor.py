import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

from promptuary.traffic.calls.model_call import CallContents, CallMessage, ModelCall, ReportedToolCall
from promptuary.traffic.redaction.redactor import Redactor

CALL = ModelCall(key="k", at=datetime(2026, 11, 30, tzinfo=UTC))


def text_of(call: ModelCall) -> str:
    return json.dumps(asdict(call), default=str, ensure_ascii=False)


def with_contents(**contents: object) -> ModelCall:
    return replace(CALL, contents=CallContents(**contents))  # type: ignore[arg-type]  # each test passes the right types


def test_every_part_of_a_call_is_redacted() -> None:
    mail = "ada@example.org"
    part = {"type": "text", "text": mail, mail: [mail, {"n": 4111111111111111}]}
    call = replace(
        with_contents(
            input=[
                CallMessage("user", [part]),
                CallMessage("tool", {"answer": mail}, (ReportedToolCall(mail, mail, {"to": mail}),)),
            ],
            output=mail,
            tool_calls=[ReportedToolCall("1", "send", f'{{"to": "{mail}"}}')],
            variables={"to": mail, "deep": [{"x": mail}]},
            error_message=f"could not write to {mail}",
        ),
        conversation=mail,
        error_type=mail,
        model=mail,
    )
    redacted, count = Redactor().redact(call)
    assert mail not in text_of(redacted)
    assert "4111111111111111" not in text_of(redacted)
    assert count == 16


def test_a_sensitive_variable_is_removed_wherever_it_stands() -> None:
    name = 'Ada "Countess" O\'Neil'
    call = with_contents(
        input=[CallMessage("user", f"Dear {name}, aged 36"), CallMessage("user", json.dumps({"name": name}))],
        output=f"Hello {name.upper()} &amp; Ada &quot;Countess&quot; O&#x27;Neil",
        tool_calls=[ReportedToolCall("1", "find", {"name": name, "age": 36, "year": 1836})],
        variables={"person": {"name": name, "age": 36}, "ticket": f"I am {name}"},
    )
    redacted, count = Redactor().redact(call, ["person"])
    assert "neil" not in text_of(redacted).lower()
    assert redacted.contents.variables == {"person": "[redacted: variable]", "ticket": "I am [redacted: variable]"}
    assert redacted.contents.input is not None
    assert redacted.contents.input[0].content == "Dear [redacted: variable], aged [redacted: variable]"
    assert "1836" in text_of(redacted)
    assert count >= 7


def test_contents_are_withheld_where_sensitive_values_are_unknown() -> None:
    call = with_contents(input=[CallMessage("user", "Dear Ada")], output="Hello Ada")
    redacted, count = Redactor().redact(call, ["person"])
    assert redacted.contents == CallContents(is_complete=False)
    assert count == 1


def test_a_call_without_peoples_data_stays_the_same() -> None:
    call = with_contents(input=[CallMessage("user", "Where is my parcel?")], output="delivery", variables={"n": 3})
    assert Redactor().redact(call) == (call, 0)


def test_further_steps_see_what_the_patterns_left() -> None:
    def hide_names(text: str) -> tuple[str, int]:
        return text.replace("Ada", "[name]"), text.count("Ada")

    redactor = Redactor((*Redactor().steps, hide_names))
    assert redactor.redact_text("Ada: ada@example.org") == ("[name]: [redacted: e-mail]", 2)
