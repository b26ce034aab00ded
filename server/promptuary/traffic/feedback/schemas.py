"""Wire models of feedback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, Timestamp
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.traffic.feedback.recording import TEXT_LIMIT
from promptuary.traffic.feedback.service import FeedbackView, NewFeedback, RefusedFeedback
from promptuary.traffic.redaction.text import redact_text

ITEMS_LIMIT = 1000
FeedbackId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]


def _require_score(value: Any) -> Any:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be true, false, or a number from 0 to 1")
    return value


Score = Annotated[bool | Annotated[float, Field(ge=0, le=1)], BeforeValidator(_require_score)]


class FeedbackIn(RequestModel):
    """Feedback on a version: `value` is true, false, or a number from 0 to 1.

    `observation` names the call: the id of its observation, the id that the client made, or the provider's response id; or
    `trace_id` and `span_id` name its span. A call that is not known yet is joined when it comes. Feedback under an `id` that
    was sent before replaces the earlier one. `prompt_label` and `prompt_variant` are those by which the application looked the
    version up: feedback is counted by them where its call is not known.
    """

    prompt: NonEmptyText
    version: Annotated[int, Field(ge=1)] | None = None
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    value: Score
    observation: NonEmptyText | None = None
    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = None
    span_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    comment: Annotated[str, StringConstraints(max_length=TEXT_LIMIT)] = ""
    correction: Annotated[str, StringConstraints(max_length=TEXT_LIMIT)] | None = None
    user: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    id: FeedbackId | None = None
    at: Timestamp | None = None
    prompt_label: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    prompt_variant: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _require_one_version(self) -> Self:
        return self._checked()

    def new_feedback(self) -> NewFeedback:
        """Return the feedback as the service takes it."""
        fields = {name: getattr(self, name) for name in FeedbackIn.model_fields}
        return NewFeedback(**{**fields, "value": float(self.value)})

    def _checked(self) -> Self:
        if (self.version is None) == (self.digest is None):
            raise ValueError("needs either 'version' or 'digest'")
        if (self.trace_id is None) != (self.span_id is None):
            raise ValueError("needs both 'trace_id' and 'span_id', or neither")
        return self


@dataclass(frozen=True)
class UnusableItem:
    """Feedback of a list that cannot be read: its id, where it has one, and what is wrong."""

    id: str | None
    errors: Sequence[FieldError]


def _read_item(value: Any, read: ValidatorFunctionWrapHandler) -> FeedbackIn | UnusableItem:
    try:
        item: FeedbackIn = read(value)
    except ValidationError as error:
        number = value.get("id") if isinstance(value, dict) else None
        return UnusableItem(number if isinstance(number, str) else None, field_errors_from(error))
    return item


class FeedbackBody(FeedbackIn):
    """One feedback, or only `items`: some at once, of which what is refused does not keep the rest from being stored."""

    prompt: NonEmptyText | None = None  # type: ignore[assignment]  # a list has it in its items
    value: Score | None = None  # type: ignore[assignment]  # the same
    items: (
        Annotated[list[Annotated[FeedbackIn, WrapValidator(_read_item)]], Field(min_length=1, max_length=ITEMS_LIMIT)] | None
    ) = None

    @model_validator(mode="after")
    def _require_one_version(self) -> Self:
        if self.items is not None:
            if self.model_fields_set != {"items"}:
                raise ValueError("has 'items' and other members; send one feedback, or only 'items'")
            return self
        if self.prompt is None or self.value is None:
            raise ValueError("needs 'prompt' and 'value', or 'items'")
        return self._checked()


class FeedbackOut(ResponseModel):
    """Feedback as it is stored: comment and correction are redacted, `user` is hashed.

    `prompt` is null while an evaluation waits for its call. `observation` is the call, where it is known.
    """

    id: str
    prompt: str | None
    version: int | None
    observation: str | None
    name: str
    value: float | None
    label: str | None
    comment: str
    correction: str | None
    user: str | None
    sender: str
    source: Literal["api", "evaluation"]
    redacted: int
    at: datetime
    created_at: datetime

    @classmethod
    def of(cls, view: FeedbackView) -> "FeedbackOut":
        """Build the wire model."""
        item = view.feedback
        return cls(
            id=item.id,
            prompt=view.prompt,
            version=item.version or None,
            observation=item.observation_id,
            name=item.name,
            value=item.value,
            label=item.label,
            comment=item.comment,
            correction=item.correction,
            user=item.user_hash,
            sender=view.sender,
            source=item.source.value,
            redacted=item.redacted,
            at=item.at,
            created_at=item.created_at,
        )


class RejectedFeedback(ResponseModel):
    """Feedback of a list that was not stored: its place in the list, from 0, and why."""

    index: int
    id: str | None
    code: str
    message: str

    @classmethod
    def of(cls, refused: RefusedFeedback) -> "RejectedFeedback":
        """Build the wire model."""
        message = redact_text(refused.error.message)[0]
        return cls(index=refused.index, id=refused.id, code=refused.error.code, message=message)

    @classmethod
    def unusable(cls, index: int, item: UnusableItem) -> "RejectedFeedback":
        """Build the wire model of feedback that cannot be read."""
        message = "; ".join(f"{error.path} {error.message}".strip() for error in item.errors)
        shown_id = (
            None if item.id is None else redact_text(item.id)[0]
        )  # what is no valid id may be anything, such as an address
        return cls(index=index, id=shown_id, code=InvalidRequest.code, message=redact_text(message)[0])


class FeedbackReport(ResponseModel):
    """What became of a list: how many were `accepted`, new ones, replaced ones and repeated ones together, and the others."""

    accepted: int
    rejected: list[RejectedFeedback]
