"""The messages of a call that came as log records, joined with the call. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from promptuary.traffic.calls.model_call import CallContents, CallMessage, CallStatus


def join_log_contents(contents: CallContents, logged: CallContents, status: CallStatus) -> CallContents:
    """Return the contents of a call with the messages of its log records.

    A batch may end between the records of one call: they may be joined in parts, and the parts in their order.

    Args:
        contents: of the call, from its span and from earlier records.
        logged: of the records.
        status: of the call.
    """
    messages = _join_messages(contents.input, logged.input)
    output = contents.output if logged.output is None else logged.output
    tool_calls = logged.tool_calls or contents.tool_calls
    has_answer = status is CallStatus.ERROR or output is not None or bool(tool_calls)
    return replace(
        contents,
        input=messages,
        output=output,
        tool_calls=tool_calls,
        variables=contents.variables if logged.variables is None else logged.variables,
        is_complete=logged.is_complete and status is not CallStatus.INCOMPLETE and messages is not None and has_answer,
    )


def _join_messages(earlier: Sequence[CallMessage] | None, later: Sequence[CallMessage] | None) -> Sequence[CallMessage] | None:
    if earlier is None or later is None:
        return later if earlier is None else earlier
    # A span may have its messages, too, and a batch may be sent twice.
    if len(later) <= len(earlier) and list(earlier[-len(later) :]) == list(later):
        return earlier
    if list(later[: len(earlier)]) == list(earlier):
        return later
    return [*earlier, *later]
