"""Append-only tables refuse TRUNCATE on PostgreSQL, too."""

from promptuary.migrations.triggers import refuse_truncation

revision = "0012"
down_revision = "0011"

APPEND_ONLY = (
    "audit",
    "dataset_case",
    "dataset_version",
    "decision",
    "event",
    "evidence",
    "label_move",
    "version",
    "version_include",
)


def upgrade() -> None:
    """Add the trigger to the tables of releases before 0.5.0."""
    for table in APPEND_ONLY:
        refuse_truncation(table)
