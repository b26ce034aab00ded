"""Messages that came as log records, joined with the call that they belong to. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from promptuary.traffic.calls.model_call import CallContents, CallMessage


def join_contents(first: CallContents, second: CallContents) -> CallContents:
    """Return the contents of two reports of one call: messages of the input in the order of the reports, what each has else."""
    return replace(
        first,
        input=_joined(first.input, second.input),
        output=second.output if first.output is None else first.output,
        tool_calls=first.tool_calls or second.tool_calls,
        variables=second.variables if first.variables is None else first.variables,
        error_message=second.error_message if first.error_message is None else first.error_message,
        is_complete=first.is_complete and second.is_complete,
    )


def _joined(first: Sequence[CallMessage] | None, second: Sequence[CallMessage] | None) -> Sequence[CallMessage] | None:
    """Return all messages in order; those that both reports have, as an emitter may be configured to send them, once."""
    if first is None or second is None:
        return second if first is None else first
    earlier, later = list(first), list(second)
    if earlier[: len(later)] == later or earlier[-len(later) :] == later:
        return earlier
    return later if later[: len(earlier)] == earlier else earlier + later
