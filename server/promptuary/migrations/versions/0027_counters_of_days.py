"""Counters of days beside those of hours: each has the sums of its hours."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

COUNTS = [
    *("calls", "errors", "incomplete", "replayable", "token_calls", "cost_calls", "latency_calls", "redacted"),
    *("feedback", "feedback_low"),
]
TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
AMOUNTS = ("cost", "latency_ms", "feedback_sum")
SUMS = (*COUNTS, *TOKENS, *AMOUNTS)
PART = 500


def upgrade() -> None:
    """Create the table, and fill it from the hours."""
    op.create_table(
        "traffic_day",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in TOKENS),
        *(sa.Column(name, sa.Float(), nullable=False) for name in AMOUNTS),
        sa.Column("latencies", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["traffic_series.id"]),
        sa.PrimaryKeyConstraint("series_id", "day"),
        sqlite_with_rowid=False,
    )
    _fill()


def _fill() -> None:
    connection = op.get_bind()
    join = "string_agg" if connection.dialect.name == "postgresql" else "group_concat"
    sums = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
    days = f"SELECT series_id, hour / 24 AS day, {sums}, {join}(NULLIF(latencies, ''), ',') AS latencies FROM traffic_hour"
    rows = iter(connection.execute(sa.text(f"{days} GROUP BY series_id, hour / 24")).mappings().all())
    names = ("series_id", "day", *SUMS, "latencies")
    values = ", ".join(f":{name}" for name in names)
    insert = sa.text(f"INSERT INTO traffic_day ({', '.join(names)}) VALUES ({values})")
    while part := list(islice(rows, PART)):
        connection.execute(insert, [_day(row) for row in part])


def _day(row: Any) -> dict[str, Any]:
    histograms: Sequence[dict[str, int]] = json.loads(f"[{row['latencies'] or ''}]")
    buckets: Counter[str] = Counter()
    for histogram in histograms:
        buckets.update(histogram)
    latencies = {bucket: buckets[bucket] for bucket in sorted(buckets, key=int) if buckets[bucket]}
    return {**row, "latencies": json.dumps(latencies, separators=(",", ":")) if latencies else ""}
