"""Messages that came as log records, joined with the call that they belong to. Pure."""

from dataclasses import replace

from promptuary.traffic.calls.model_call import CallContents


def join_contents(first: CallContents, second: CallContents) -> CallContents:
    """Return the contents of two reports of one call: messages of the input in the order of the reports, what each has else."""
    inputs = [contents.input for contents in (first, second) if contents.input is not None]
    return replace(
        first,
        input=[message for messages in inputs for message in messages] if inputs else None,
        output=second.output if first.output is None else first.output,
        tool_calls=first.tool_calls or second.tool_calls,
        variables=second.variables if first.variables is None else first.variables,
        error_message=second.error_message if first.error_message is None else first.error_message,
        is_complete=first.is_complete and second.is_complete,
    )
