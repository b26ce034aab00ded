"""The words of each prompt's newest version: FTS5 in SQLite, a `tsvector` with a GIN index in PostgreSQL.

They are written in the transaction that writes the version, so a search never misses a prompt and never finds an old text. The
words are cut by `promptuary.registry.text_search.words`; what a user types reaches a database as quoted words only.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import Select, column, literal_column, or_, select, table, text
from sqlmodel import Session

from promptuary.registry.text_search.words import prompt_words, query_words

_WORDS = table("prompt_words", column("words"))


def store_words(session: Session, prompt: int, name: str, body: Mapping[str, Any]) -> None:
    """Store the words of a prompt in place of those of an older version.

    Args:
        session: the transaction of the version.
        prompt: the prompt's id.
        name: the prompt's name.
        body: the content as JSON; without members for a version whose content was erased.
    """
    _put(session, prompt, prompt_words(name, body))


def forget_words(session: Session, prompt: int, name: str) -> None:
    """Remove the words of a prompt's content, so that it is found by its name only: its newest version was erased."""
    _put(session, prompt, prompt_words(name, {}))


def purge_index(session: Session) -> None:
    """Remove the words of replaced and deleted rows, which FTS5 keeps in its index until it merges it."""
    if session.get_bind().dialect.name == "sqlite" and _is_full_text(session):
        session.connection().execute(text("INSERT INTO prompt_words (prompt_words) VALUES ('optimize')"))


def missing_prompts(session: Session, project: int, limit: int) -> list[int]:
    """Return the ids of prompts that have a version and no words."""
    missing = f"newest > 0 AND id NOT IN ({_ids(session)})"
    query = f"SELECT id FROM prompt WHERE project_id = :project AND {missing} ORDER BY id LIMIT :limit"
    return [int(row[0]) for row in session.connection().execute(text(query), {"project": project, "limit": limit})]


def next_prompts(session: Session, project: int, after: int, limit: int) -> list[int]:
    """Return the ids of prompts that have a version, in their order, after one of them."""
    query = "SELECT id FROM prompt WHERE project_id = :project AND newest > 0 AND id > :after ORDER BY id LIMIT :limit"
    parameters = {"project": project, "after": after, "limit": limit}
    return [int(row[0]) for row in session.connection().execute(text(query), parameters)]


def renew_words(session: Session, prompts: list[int]) -> None:
    """Compute the words of some prompts from their newest versions again."""
    query = text(
        "SELECT prompt.id, prompt.name, version.content FROM prompt JOIN version "
        "ON version.prompt_id = prompt.id AND version.number = prompt.newest WHERE prompt.id = :prompt"
    )
    for prompt in prompts:
        for identifier, name, content in session.connection().execute(query, {"prompt": prompt}).all():
            body: Mapping[str, Any] = {}
            with suppress(ValueError, TypeError):  # the content was erased, or changed in the database
                body = json.loads(content) or {}
            store_words(session, int(identifier), name, body)


def matching_prompts(session: Session, search: str) -> Select[tuple[int]] | None:
    """Return the query of the prompts, of any project, that have every word of a search; None for a search without a word."""
    words = query_words(search)
    if not words:
        return None
    if session.get_bind().dialect.name == "postgresql":
        query = " & ".join(f"'{word}':*" for word in words)
        return (
            select(literal_column("prompt_id"))
            .select_from(_WORDS)
            .where(text("words @@ CAST(:word_query AS tsquery)").bindparams(word_query=query))
        )
    rows: Select[tuple[int]] = select(literal_column("rowid")).select_from(_WORDS)
    if _is_full_text(session):
        query = " AND ".join(f'"{word}"*' for word in words)
        return rows.where(text("prompt_words MATCH :word_query").bindparams(word_query=query))
    for word in words:  # this SQLite was built without FTS5
        rows = rows.where(or_(_WORDS.c.words.startswith(word), _WORDS.c.words.contains(f" {word}")))
    return rows


def _put(session: Session, prompt: int, words: list[str]) -> None:
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        statement = (
            "INSERT INTO prompt_words (prompt_id, words) VALUES (:prompt, array_to_tsvector(CAST(:words AS text[]))) "
            "ON CONFLICT (prompt_id) DO UPDATE SET words = EXCLUDED.words"
        )
        connection.execute(text(statement), {"prompt": prompt, "words": words})
        return
    connection.execute(text("DELETE FROM prompt_words WHERE rowid = :prompt"), {"prompt": prompt})
    row = {"prompt": prompt, "words": " ".join(words)}
    connection.execute(text("INSERT INTO prompt_words (rowid, words) VALUES (:prompt, :words)"), row)


def _ids(session: Session) -> str:
    return f"SELECT {'prompt_id' if session.get_bind().dialect.name == 'postgresql' else 'rowid'} FROM prompt_words"


def _is_full_text(session: Session) -> bool:
    definition = session.connection().execute(text("SELECT sql FROM sqlite_master WHERE name = 'prompt_words'")).scalar_one()
    return "fts5" in str(definition).lower()
