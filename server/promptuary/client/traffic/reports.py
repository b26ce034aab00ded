"""`observe` and `feedback`: what both clients report about the calls that they make with a prompt."""

import time
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from promptuary.client.prompt import Prompt
from promptuary.client.traffic.items import FEEDBACK, OBSERVATIONS, TrafficCounts
from promptuary.client.traffic.queue import TrafficQueue, new_id

if TYPE_CHECKING:
    from promptuary.client.rendering import Rendering

CallStatus = Literal["ok", "error", "incomplete"]
_UNKNOWN = {"prompt": None, "version": None, "digest": None, "label": None, "variant": None}


class ReportId(str):
    """The id of a call or feedback. It may be awaited, and is there at once."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, str]:
        """Return the id."""
        return self
        yield  # a generator that yields nothing


class TrafficReports:
    """Reports calls and feedback through a queue; see `observe`."""

    _traffic: TrafficQueue

    @property
    def traffic(self) -> TrafficCounts:
        """How many calls and feedback this process sent, has queued, and dropped, by reason."""
        return self._traffic.counts

    def observe(
        self,
        prompt: "Prompt | Rendering | str | None",
        *,
        variables: Mapping[str, Any] | None = None,
        output: Any = None,
        latency_ms: float | None = None,
        tokens: Any = None,
        input: Any = None,  # noqa: A002 (the field of an observation)
        model: str | None = None,
        response_model: str | None = None,
        provider: str | None = None,
        operation: str | None = None,
        tool_calls: Sequence[Any] | None = None,
        finish: str | None = None,
        status: CallStatus | None = None,
        error: BaseException | Mapping[str, Any] | str | None = None,
        cost: float | None = None,
        first_token_ms: float | None = None,
        response_id: str | None = None,
        conversation: str | None = None,
        user: str | None = None,
        at: datetime | float | None = None,
        id: str | None = None,  # noqa: A002 (the field of an observation)
    ) -> ReportId:
        """Report a call of a model, and return the observation's id, by which feedback can name it.

        The call is queued, and a thread sends it with others: this neither waits nor raises, whatever the values are. What
        cannot be sent is counted in `traffic`. The server counts an id once, however often it comes.

        Args:
            prompt: the one that `get` or `render` returned; a name, or None, where there is none.
            variables: the values with which it was rendered; without them the call cannot be replayed.
            output: the text of the answer.
            latency_ms: until the end of the answer.
            tokens: `{"input": …, "output": …, "cached": …, "reasoning": …}`, or the `usage` of a provider's response.
            input: the messages, or the text.
            model: that was requested.
            response_model: that answered.
            provider: such as `openai`.
            operation: such as `chat`.
            tool_calls: of the answer.
            finish: the finish reason.
            status: `error` where an error is passed, else `ok`; `incomplete` for a stream that broke or was left.
            error: the exception, `{"type": …, "message": …}`, or a text.
            cost: in US dollars.
            first_token_ms: until the first piece of a stream.
            response_id: of the provider; a call that an instrumentation reports, too, is counted once by it.
            conversation: the id of the conversation.
            user: the id of the end user; the server stores a keyed hash of it.
            at: when the call began, a time or seconds since 1970; by default `latency_ms` ago.
            id: of the observation; by default a new one.
        """
        number = ReportId(id) if isinstance(id, str) and 0 < len(id) <= 200 else ReportId(new_id())
        try:
            fields = {
                **_prompt_fields(prompt),
                "id": number,
                "variables": variables,
                "output": output,
                "latency_ms": latency_ms,
                "tokens": tokens,
                "input": input,
                "model": model,
                "response_model": response_model,
                "provider": provider,
                "operation": operation,
                "tool_calls": tool_calls,
                "finish": finish,
                "status": status,
                "error": error,
                "cost": cost,
                "first_token_ms": first_token_ms,
                "response_id": response_id,
                "conversation": conversation,
                "user": user,
                "at": at,
                "reported_at": time.time(),
            }
            self._traffic.report(OBSERVATIONS, fields)
        except Exception:  # of any type: a report must not end the application's own work
            self._traffic.count_invalid()
        return number

    def feedback(
        self,
        prompt: "Prompt | Rendering",
        value: bool | float,
        *,
        comment: str | None = None,
        correction: str | None = None,
        observation: str | None = None,
        user: str | None = None,
        name: str = "",
        id: str | None = None,  # noqa: A002 (the field of an observation)
    ) -> ReportId:
        """Report feedback on a version, and return its id. It is queued and sent as `observe` does.

        Args:
            prompt: the one that `get` or `render` returned.
            value: True, False, or a number from 0 to 1.
            comment: a text.
            correction: what the answer should have been.
            observation: the id that `observe` returned, or the provider's response id.
            user: the id of the end user; the server stores a keyed hash of it.
            name: of what is rated; empty for the answer as a whole.
            id: of earlier feedback, which this one replaces; by default a new one.

        Raises:
            ValueError: for a value, an id or a prompt that no feedback can have, which is an error of the program.
        """
        if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
            raise ValueError("the value of feedback must be True, False, or a number from 0 to 1")
        if not hasattr(prompt, "digest"):
            raise ValueError("feedback is on a version: pass the prompt that client.get returned")
        if id is not None and not (isinstance(id, str) and _is_feedback_id(id)):
            raise ValueError("the id of feedback must have 1 to 100 letters, digits, dots, dashes, colons or underscores")
        number = ReportId(id if id is not None else new_id())
        fields = {
            **_prompt_fields(prompt),
            "id": number,
            "value": value if isinstance(value, bool) else float(value),
            "comment": comment,
            "correction": correction,
            "observation": observation,
            "user": user,
            "name": name,
            "reported_at": time.time(),
        }
        self._traffic.report(FEEDBACK, fields)
        return number


def _is_feedback_id(text: str) -> bool:
    return 0 < len(text) <= 100 and text.isascii() and text[0].isalnum() and all(c.isalnum() or c in "._:-" for c in text)


def _prompt_fields(prompt: Any) -> dict[str, Any]:
    if prompt is None or isinstance(prompt, str):
        return {**_UNKNOWN, "prompt": prompt}
    return {
        "prompt": prompt.name,
        "version": prompt.version,
        "digest": prompt.digest,
        "label": getattr(prompt, "label", None),
        "variant": getattr(prompt, "variant", None),
    }
