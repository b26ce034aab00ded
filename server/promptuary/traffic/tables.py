"""The tables of production traffic; private to this folder, whose sub-packages join them.

Times of counters and of the check for repeated reports are whole numbers since 1970, hours or seconds: a row of these tables is
written for every call.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime

DIGEST = BigInteger().with_variant(Integer(), "sqlite")
"""A key of 64 random bits; SQLite stores a table by such a key without another index."""


class Stratum(StrEnum):
    """Why the contents of a call are in the sample, each with its own probability."""

    RANDOM = "random"
    ERROR = "error"
    LOW_FEEDBACK = "low_feedback"


class TrafficSettingsRow(SQLModel, table=True):
    """A project's own settings of its traffic; None where those of the service apply.

    `user_key` is the secret with which the ids of end users are hashed. `rules` map calls that name no prompt to one.
    """

    __tablename__ = "traffic_settings"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    user_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    rules: list[Any] = Field(sa_column=Column(JSON, nullable=False))


class SeriesRow(SQLModel, table=True):
    """What calls are counted by. `prompt_id` is None for calls without a prompt, and `reason` is why.

    Texts are empty where the calls have none, and `version` is 0, so that they are unique on both databases. `model` is
    `other` beyond the limit of models that a version is counted by.
    """

    __tablename__ = "traffic_series"
    __table_args__ = (UniqueConstraint("project_id", "prompt_key", "version", "label", "variant", "model", "reason"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    prompt_id: int | None = Field(default=None, foreign_key="prompt.id", index=True)
    prompt_key: int = 0
    version: int = 0
    label: str = ""
    variant: str = ""
    model: str = ""
    reason: str = ""


class CounterColumns(SQLModel):
    """Counters of calls. Sums are of the calls that report the value; `…_calls` counts those.

    `latencies` is a histogram: the counts of the buckets whose bounds `traffic/counters/latency.py` has, as JSON.
    """

    calls: int = 0
    errors: int = 0
    incomplete: int = 0
    replayable: int = 0
    token_calls: int = 0
    input_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    output_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    cached_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    cost_calls: int = 0
    cost: float = 0.0
    latency_calls: int = 0
    latency_ms: float = 0.0
    latencies: str = Field(default="", sa_type=Text)
    redacted: int = 0
    feedback: int = 0
    feedback_sum: float = 0.0
    feedback_low: int = 0


class HourRow(CounterColumns, table=True):
    """The counters of a series in an hour since 1970."""

    __tablename__ = "traffic_hour"

    series_id: int = Field(foreign_key="traffic_series.id", primary_key=True)
    hour: int = Field(primary_key=True)


class DayRow(CounterColumns, table=True):
    """The counters of a series on a day since 1970 in UTC: the sums of its hours, changed in the same transactions.

    A query of weeks reads a row instead of 24. On SQLite the rows are stored in the order of their key.
    """

    __tablename__ = "traffic_day"
    __table_args__ = {"sqlite_with_rowid": False}

    series_id: int = Field(foreign_key="traffic_series.id", primary_key=True)
    day: int = Field(primary_key=True)


class SeenRow(SQLModel, table=True):
    """A report that was counted: 64 bits of the digest of its project and key, for as long as a repeat is recognized."""

    __tablename__ = "traffic_seen"

    key: int = Field(sa_column=Column(DIGEST, primary_key=True, autoincrement=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class LinkRow(SQLModel, table=True):
    """A span around calls that waits for calls, or for the spans between; deleted when the wait is over.

    `span` and `parent` are 64 bits of the digest of project, trace and span: most spans of a program are around no call, and
    a row of a hundred bytes for each would be most of the database.
    """

    __tablename__ = "traffic_link"

    span: int = Field(sa_column=Column(DIGEST, primary_key=True, autoincrement=False))
    parent: int | None = Field(default=None, sa_column=Column(BigInteger))
    prompt: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class SpanContentsRow(SQLModel, table=True):
    """What a span around calls states of people, redacted: for calls that come later; deleted when the wait is over.

    `variables` are compressed JSON; `removed` is how many passages were removed from each, where there were any. Values of
    variables that a version declares as sensitive are still in them: without them, nothing finds these values in the messages
    of a call that comes later.
    """

    __tablename__ = "traffic_span_contents"
    __table_args__ = (Index("ix_traffic_span_contents_user", "project_id", "user_hash"),)

    span: int = Field(sa_column=Column(DIGEST, primary_key=True, autoincrement=False))
    project_id: int = Field(foreign_key="project.id")
    variables: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    removed: dict[str, int] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    user_hash: str | None = None
    conversation: str | None = None
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class LogContentsRow(SQLModel, table=True):
    """The messages of a call whose span has not come: as a call's contents, redacted; deleted when the wait is over."""

    __tablename__ = "traffic_log_contents"

    span: int = Field(sa_column=Column(DIGEST, primary_key=True, autoincrement=False))
    project_id: int = Field(foreign_key="project.id")
    contents: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    finish: str | None = None
    redacted: int = 0
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class ObservationRow(SQLModel, table=True):
    """A call that waits for its place in the sample, or that is in it.

    `is_settled` is false during the wait; until then `probability` is the largest that the call can have. `random` is the
    call's random number, from 0 to 1: the call stays in the sample while it is below `probability` of its stratum, times the
    threshold of the day's reservoir. `contents` is compressed JSON, redacted; None where nothing of them may be stored.
    `details` are the values of the call that are no contents. `is_replayable` is whether the report has the variables of its
    prompt, also where the contents are not stored. `awaited` is not None while a span around the call may still state more of
    it: `{"mark": …}` has the prompt that the call's own report names.
    """

    __tablename__ = "observation"
    __table_args__ = (
        Index("ix_observation_key", "project_id", "key"),
        Index("ix_observation_wait", "is_settled", "settle_at"),
        Index("ix_observation_sample", "project_id", "prompt_id", "version", "at"),
        Index("ix_observation_trace", "project_id", "trace_id"),
        Index("ix_observation_response", "project_id", "response_id"),
        Index("ix_observation_user", "project_id", "user_hash"),
    )

    id: str = Field(primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    key: str
    series_id: int = Field(foreign_key="traffic_series.id")
    prompt_id: int | None = Field(default=None, foreign_key="prompt.id")
    version: int = 0
    at: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)
    settle_at: datetime = Field(sa_type=UtcDateTime)
    is_settled: bool = False
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    response_id: str | None = None
    user_hash: str | None = None
    stratum: str = Stratum.RANDOM.value
    random: float
    probability: float
    status: str
    is_replayable: bool = False
    details: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    contents: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    redacted: int = 0
    awaited: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class ReservoirRow(SQLModel, table=True):
    """The threshold of a reservoir: of a version, a day and a stratum. It only falls while calls come.

    A call of the stratum is in the sample where its random number is below `probability` times `threshold`, so that this
    product is its inclusion probability (adaptive threshold sampling; Ting, 2022).
    """

    __tablename__ = "traffic_reservoir"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    prompt_key: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    day: int = Field(primary_key=True)
    stratum: str = Field(primary_key=True)
    threshold: float = 1.0


class FeedbackRow(SQLModel, table=True):
    """Feedback on a version, and on a call where it is known. `value` is from 0 to 1; `sender` is the identity of who sent it.

    `subject` is how the sender names the call: an observation or a response; or `trace_id` and `span_id` name its span, or one
    around it. `series_id` and `hour` are where the value is counted, None where it is not yet, and `is_low` whether it is
    counted as a low one. `comment` and `correction` are redacted.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_version", "project_id", "prompt_id", "version", "at"),
        Index("ix_feedback_observation", "observation_id"),
        Index("ix_feedback_user", "project_id", "user_hash"),
    )

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    id: str = Field(primary_key=True)
    prompt_id: int | None = Field(default=None, foreign_key="prompt.id")
    version: int = 0
    observation_id: str | None = None
    subject: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    name: str = ""
    value: float | None = None
    label: str | None = None
    comment: str = Field(default="", sa_column=Column(Text, nullable=False))
    correction: str | None = Field(default=None, sa_column=Column(Text))
    user_hash: str | None = None
    sender: str = ""
    source: str = "api"
    redacted: int = 0
    at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    series_id: int | None = Field(default=None, foreign_key="traffic_series.id")
    hour: int | None = None
    is_low: bool = False


class FeedbackWaitRow(SQLModel, table=True):
    """Feedback on a call that is not known yet: by a name that the call may come with. Deleted when it has come."""

    __tablename__ = "feedback_wait"
    __table_args__ = (Index("ix_feedback_wait_feedback", "project_id", "feedback_id"),)

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    subject: str = Field(primary_key=True)
    feedback_id: str = Field(primary_key=True)


class OnlineScoreRow(SQLModel, table=True):
    """A scorer's result on a call of the sample; deleted with the call."""

    __tablename__ = "online_score"

    observation_id: str = Field(foreign_key="observation.id", primary_key=True)
    metric: str = Field(primary_key=True)
    score: float | None = None
    passed: bool | None = None
    error: str | None = None
    cost: float | None = None
    at: datetime = Field(sa_type=UtcDateTime)


class TrafficRuleRow(SQLModel, table=True):
    """What is done with a prompt's sample by itself: online scorers, and queues of reviewers that calls are sent to."""

    __tablename__ = "traffic_rule"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    prompt_id: int | None = Field(default=None, foreign_key="prompt.id")
    rule: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    progress: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
