"""Search prompts by their words: FTS5 in SQLite, a tsvector with a GIN index in PostgreSQL."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.exc import OperationalError

from promptuary.registry.text_search.words import prompt_words

revision = "0007"
down_revision = "0006"
BATCH = 500


def upgrade() -> None:
    """Create the table, and store the words of every prompt's newest version.

    The words are computed by today's rules, not by those of this release: they are derived data, which
    `context reindex --prompts` computes again.
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.create_table(
            "prompt_words",
            sa.Column("prompt_id", sa.Integer(), nullable=False),
            sa.Column("words", TSVECTOR(), nullable=False),
            sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
            sa.PrimaryKeyConstraint("prompt_id"),
        )
        op.create_index("ix_prompt_words_words", "prompt_words", ["words"], postgresql_using="gin")
        insert = "INSERT INTO prompt_words (prompt_id, words) VALUES (:prompt, array_to_tsvector(CAST(:words AS text[])))"
    else:
        _create_sqlite_table()
        insert = "INSERT INTO prompt_words (rowid, words) VALUES (:prompt, :words)"
    newest = sa.text(
        "SELECT prompt.id, prompt.name, version.content FROM prompt JOIN version "
        "ON version.prompt_id = prompt.id AND version.number = prompt.newest "
        "WHERE prompt.id > :last ORDER BY prompt.id LIMIT :batch"
    )
    last = 0
    while rows := connection.execute(newest, {"last": last, "batch": BATCH}).all():
        stored = [{"prompt": prompt, "words": _words(name, content)} for prompt, name, content in rows]
        if connection.dialect.name == "sqlite":
            stored = [row | {"words": " ".join(row["words"])} for row in stored]
        connection.execute(sa.text(insert), stored)
        last = rows[-1][0]


def _create_sqlite_table() -> None:
    """Create the FTS5 table: its words are separated by spaces already. Without FTS5, an ordinary table takes its place."""
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE VIRTUAL TABLE prompt_words USING fts5(words, tokenize = 'ascii')")
    except OperationalError as error:
        if "fts5" not in str(error):
            raise
        op.execute("CREATE TABLE prompt_words (rowid INTEGER PRIMARY KEY, words TEXT NOT NULL)")


def _words(name: str, content: str) -> list[str]:
    try:
        body: Any = json.loads(content)
    except ValueError:  # changed in the database, which a lookup reports
        body = {}
    return prompt_words(name, body if isinstance(body, dict) else {})
