"""Production traffic: counters, the sample, feedback, online scores and rules."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
TIMESTAMP = sa.DateTime(timezone=True)
DIGEST = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _create_counters()
    _create_sample()
    _create_feedback()


def _create_counters() -> None:
    """Create settings, rules and what every call changes."""
    op.create_table(
        "traffic_seen",
        sa.Column("key", DIGEST, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_traffic_seen_at", "traffic_seen", ["at"], unique=False)
    op.create_table(
        "traffic_settings",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_key", sa.LargeBinary(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id"),
    )
    op.create_table(
        "traffic_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=True),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "traffic_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=True),
        sa.Column("prompt_key", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "prompt_key", "version", "label", "variant", "model", "reason"),
    )
    op.create_index("ix_traffic_series_prompt_id", "traffic_series", ["prompt_id"], unique=False)
    op.create_table(
        "traffic_hour",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("incomplete", sa.Integer(), nullable=False),
        sa.Column("replayable", sa.Integer(), nullable=False),
        sa.Column("token_calls", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_calls", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("latency_calls", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("latencies", sa.Text(), nullable=False),
        sa.Column("redacted", sa.Integer(), nullable=False),
        sa.Column("feedback", sa.Integer(), nullable=False),
        sa.Column("feedback_sum", sa.Float(), nullable=False),
        sa.Column("feedback_low", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["traffic_series.id"]),
        sa.PrimaryKeyConstraint("series_id", "hour"),
    )


def _create_sample() -> None:
    """Create the sample, its reservoirs and the spans that wait for calls."""
    op.create_table(
        "traffic_link",
        sa.Column("span", DIGEST, autoincrement=False, nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=True),
        sa.Column("prompt", sa.JSON(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_index("ix_traffic_link_at", "traffic_link", ["at"], unique=False)
    op.create_table(
        "traffic_log_contents",
        sa.Column("span", DIGEST, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("finish", sa.String(), nullable=True),
        sa.Column("redacted", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_index("ix_traffic_log_contents_at", "traffic_log_contents", ["at"], unique=False)
    op.create_table(
        "traffic_reservoir",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("prompt_key", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.String(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id", "prompt_key", "version", "day", "stratum"),
    )
    op.create_table(
        "observation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.Column("received_at", TIMESTAMP, nullable=False),
        sa.Column("settle_at", TIMESTAMP, nullable=False),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        sa.Column("trace_id", sa.String(), nullable=True),
        sa.Column("span_id", sa.String(), nullable=True),
        sa.Column("parent_span_id", sa.String(), nullable=True),
        sa.Column("response_id", sa.String(), nullable=True),
        sa.Column("user_hash", sa.String(), nullable=True),
        sa.Column("stratum", sa.String(), nullable=False),
        sa.Column("random", sa.Float(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_replayable", sa.Boolean(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=True),
        sa.Column("redacted", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.ForeignKeyConstraint(["series_id"], ["traffic_series.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_observation_key", "observation", ["project_id", "key"], unique=False)
    op.create_index("ix_observation_response", "observation", ["project_id", "response_id"], unique=False)
    op.create_index("ix_observation_sample", "observation", ["project_id", "prompt_id", "version", "at"], unique=False)
    op.create_index("ix_observation_trace", "observation", ["project_id", "trace_id"], unique=False)
    op.create_index("ix_observation_user", "observation", ["project_id", "user_hash"], unique=False)
    op.create_index("ix_observation_wait", "observation", ["is_settled", "settle_at"], unique=False)


def _create_feedback() -> None:
    """Create what is known of calls later."""
    op.create_table(
        "feedback",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("observation_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("trace_id", sa.String(), nullable=True),
        sa.Column("span_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("correction", sa.Text(), nullable=True),
        sa.Column("user_hash", sa.String(), nullable=True),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("redacted", sa.Integer(), nullable=False),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=True),
        sa.Column("hour", sa.Integer(), nullable=True),
        sa.Column("is_low", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.ForeignKeyConstraint(["series_id"], ["traffic_series.id"]),
        sa.PrimaryKeyConstraint("project_id", "id"),
    )
    op.create_index("ix_feedback_observation", "feedback", ["observation_id"], unique=False)
    op.create_index("ix_feedback_user", "feedback", ["project_id", "user_hash"], unique=False)
    op.create_index("ix_feedback_version", "feedback", ["project_id", "prompt_id", "version", "at"], unique=False)
    op.create_table(
        "feedback_wait",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("feedback_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id", "subject", "feedback_id"),
    )
    op.create_index("ix_feedback_wait_feedback", "feedback_wait", ["project_id", "feedback_id"], unique=False)
    op.create_table(
        "online_score",
        sa.Column("observation_id", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["observation_id"], ["observation.id"]),
        sa.PrimaryKeyConstraint("observation_id", "metric"),
    )
