"""Wire models of the routes of queues."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, Timestamp
from promptuary.review.queues.choice import CHOICE_LIMIT, DEFAULT_CHOICES, Choice
from promptuary.review.queues.judge_mapping import JudgeMapping
from promptuary.review.queues.label_schema import (
    EXAMPLE_LIMIT,
    FIELD_LIMIT,
    OPTION_LIMIT,
    FieldType,
    LabelField,
    LabelSchema,
    Option,
    fields_to_json,
)
from promptuary.review.queues.queue import NO_SCHEMA, UNDO_SECONDS, QueueCounts, QueueDefinition
from promptuary.review.queues.service import QueueState


class NewChoice(RequestModel):
    """One decision that reviewers may make; without a label, the capitalised value is the label."""

    value: NonEmptyText
    label: NonEmptyText | None = None
    shortcut: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]$")] | None = None

    def choice(self) -> Choice:
        """Return the domain value."""
        return Choice(self.value, self.label or self.value.replace("_", " ").capitalize(), self.shortcut)


class NewOption(RequestModel):
    """A value of a field, and its label."""

    value: NonEmptyText
    label: NonEmptyText


class NewField(RequestModel):
    """A field of a label schema; without a title, the name is shown."""

    name: NonEmptyText
    type: Literal["choice", "choices", "ordinal", "number", "text", "tags", "spans", "preference"]
    title: NonEmptyText | None = None
    required: bool = False
    options: Annotated[list[NonEmptyText | NewOption], Field(max_length=OPTION_LIMIT)] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None

    def field(self) -> LabelField:
        """Return the domain value."""
        options = None
        if self.options is not None:
            options = tuple(Option(o, o) if isinstance(o, str) else Option(o.value, o.label) for o in self.options)
        title = self.title or self.name.replace("_", " ").capitalize()
        return LabelField(self.name, FieldType(self.type), title, self.required, options, self.minimum, self.maximum)


class Example(RequestModel):
    """An example beside the rubric: an item, and how it is labelled and why."""

    input: Any = None
    output: Annotated[str, Field(max_length=20_000)] | None = None
    decision: NonEmptyText | None = None
    labels: dict[str, Any] | None = None
    note: Annotated[str, Field(max_length=5000)] | None = None


class NewSchema(RequestModel):
    """The fields of a queue, the rubric by which reviewers judge, and examples."""

    fields: Annotated[list[NewField], Field(max_length=FIELD_LIMIT, default_factory=list)]
    rubric: Annotated[str, Field(max_length=50_000)] = ""
    examples: Annotated[list[Example], Field(max_length=EXAMPLE_LIMIT, default_factory=list)]

    def schema_value(self) -> LabelSchema:
        """Return the domain value."""
        examples = tuple(example.model_dump(exclude_none=True) for example in self.examples)
        return LabelSchema(tuple(field.field() for field in self.fields), self.rubric, examples)


Named = Annotated[list[NonEmptyText], Field(max_length=200, default_factory=list)]
KEPT = {
    "decisions": "choices",
    "label_schema": "schema",
    "reviewers": "reviewers",
    "adjudicators": "adjudicators",
    "blind": "revealed",
} | {name: name for name in ("instructions", "slots", "due_at", "undo_seconds", "swap_share")}
"""The fields of a request that keep their value when they are left out, by the fields of the definition."""


LabelValue = str | int | float | bool
"""The value of a decision, or of a field of the label schema."""


class JudgeMappingBody(RequestModel):
    """Which decisions mean that an output passes; `field` names the field of the label schema that has them instead.

    Without `fails`, every other value is a fail, except `unsure` and `saved`, which are no label.
    """

    metric: NonEmptyText
    passes: Annotated[list[LabelValue], Field(min_length=1, max_length=100)]
    fails: Annotated[list[LabelValue], Field(max_length=100)] | None = None
    field: NonEmptyText | None = None

    def mapping(self) -> JudgeMapping:
        """Return the domain value."""
        return JudgeMapping(self.metric, tuple(self.passes), None if self.fails is None else tuple(self.fails), self.field)


class NewQueue(RequestModel):
    """What a queue asks.

    Without `decisions`, a new queue has the three default ones; `[]` leaves the fields of the schema alone. An existing queue
    keeps everything that is left out.
    """

    instructions: Annotated[str, Field(max_length=20_000)] = ""
    decisions: Annotated[list[NewChoice], Field(max_length=CHOICE_LIMIT)] | None = None
    slots: Annotated[int, Field(ge=1, le=100)] = 1
    label_schema: Annotated[NewSchema | None, Field(alias="schema")] = None
    reviewers: Named
    adjudicators: Named
    blind: Annotated[list[Literal["labels", "verdict", "scores", "model", "version"]], Field(default_factory=list)]
    due_at: Timestamp | None = None
    undo_seconds: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = UNDO_SECONDS
    swap_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    judge: JudgeMappingBody | None = None

    def definition(self, name: str) -> QueueDefinition:
        """Return the domain value; its choices are the three default ones where the request names none."""
        choices = DEFAULT_CHOICES if self.decisions is None else tuple(decision.choice() for decision in self.decisions)
        return QueueDefinition(
            name=name,
            instructions=self.instructions,
            choices=choices,
            slots=self.slots,
            reviewers=tuple(self.reviewers),
            adjudicators=tuple(self.adjudicators),
            revealed=tuple(dict.fromkeys(self.blind)),
            due_at=self.due_at,
            undo_seconds=self.undo_seconds,
            schema=NO_SCHEMA if self.label_schema is None else self.label_schema.schema_value(),
            swap_share=self.swap_share,
            source=None if self.judge is None else {"judge": self.judge.mapping().to_json()},
        )

    @property
    def retained(self) -> tuple[str, ...]:
        """The fields of the definition that the request leaves out, and an existing queue keeps."""
        return tuple(field for name, field in KEPT.items() if name not in self.model_fields_set)


class ChoiceOut(ResponseModel):
    """One decision that reviewers may make."""

    value: str
    label: str
    shortcut: str | None


class CountsOut(ResponseModel):
    """The progress of a queue. `mine` counts the caller's decisions, `left` the open items that the caller has not decided."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int

    @classmethod
    def of(cls, counts: QueueCounts) -> "CountsOut":
        """Build the wire model from the domain value; on the wire, the closed items are `decided`."""
        return cls(
            items=counts.items,
            decided=counts.closed,
            open=counts.open,
            claimed=counts.claimed,
            mine=counts.mine,
            left=counts.left,
        )


class PaceOut(ResponseModel):
    """The decisions of the last hour and of the last day, and how many people made those of the day."""

    hour: int
    day: int
    reviewers: int


class SchemaOut(ResponseModel):
    """A label schema. An option is a value, or `{value, label}`; `number` is 0 for a queue that never had a schema."""

    number: int
    fields: list[dict[str, Any]]
    rubric: str
    examples: list[dict[str, Any]]


class QueueOut(ResponseModel):
    """A queue; `blind` names what reviewers see after their own decision, of all that is withheld before it."""

    name: str
    instructions: str
    decisions: list[ChoiceOut]
    slots: int
    label_schema: Annotated[SchemaOut, Field(serialization_alias="schema")]
    reviewers: list[str]
    reviewer_ids: list[str]
    adjudicators: list[str]
    adjudicator_ids: list[str]
    blind: list[str]
    due_at: datetime | None
    undo_seconds: int
    swap_share: float
    source: dict[str, Any] | None
    may_decide: bool
    pace: PaceOut
    counts: CountsOut
    created_at: datetime

    @classmethod
    def of(cls, state: QueueState) -> "QueueOut":
        """Build the wire model from the domain values."""
        queue = state.queue
        return cls(
            name=queue.name,
            instructions=queue.instructions,
            decisions=[ChoiceOut.model_validate(choice) for choice in queue.choices],
            slots=queue.slots,
            label_schema=SchemaOut(
                number=queue.schema.number,
                fields=fields_to_json(queue.schema.fields),
                rubric=queue.schema.rubric,
                examples=list(queue.schema.examples),
            ),
            reviewers=list(state.reviewers),
            reviewer_ids=list(queue.reviewers),
            adjudicators=list(state.adjudicators),
            adjudicator_ids=list(queue.adjudicators),
            blind=list(queue.revealed),
            due_at=queue.due_at,
            undo_seconds=queue.undo_seconds,
            swap_share=queue.swap_share,
            source=state.source,
            may_decide=state.may_decide,
            pace=PaceOut.model_validate(state.pace),
            counts=CountsOut.of(state.counts),
            created_at=queue.created_at,
        )
