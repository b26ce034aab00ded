"""Contents of calls as they are stored."""

import pytest

from promptuary.traffic.calls.contents_codec import decode_contents, encode_contents
from promptuary.traffic.calls.model_call import CallContents, CallMessage, ReportedToolCall

WHOLE = CallContents(
    input=(
        CallMessage("system", "Sei kurz. 🙂"),
        CallMessage("user", [{"type": "text", "text": "What is this?"}]),
        CallMessage("assistant", None, (ReportedToolCall("c1", "weather", {"city": "Köln"}),)),
        CallMessage("tool", "12 °C", (), "c1"),
    ),
    output="Cold.\u0000",
    tool_calls=(ReportedToolCall(None, None, "not JSON"),),
    variables={"city": "Köln", "days": 3, "unit": None},
    error_message="",
    is_complete=False,
)


@pytest.mark.parametrize("contents", [CallContents(), CallContents(input=(), output="", variables={}), WHOLE])
def test_contents_come_back_as_they_were(contents: CallContents) -> None:
    assert decode_contents(encode_contents(contents)) == contents


def test_unknown_variables_are_not_empty_ones() -> None:
    assert decode_contents(encode_contents(CallContents(variables=None))).variables is None
    assert decode_contents(encode_contents(CallContents(variables={}))).variables == {}


def test_what_json_does_not_have_is_stored_as_what_it_has() -> None:
    contents = CallContents(output="half \ud83d", variables={"score": float("nan"), "scores": [1.5, float("inf")]})
    stored = decode_contents(encode_contents(contents))
    assert (stored.output, stored.variables) == ("half ?", {"score": None, "scores": [1.5, None]})


def test_bytes_that_are_no_contents_are_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        decode_contents(b"no contents")
