"""A project's revisions, and their publication in the transaction that changes them."""

from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from promptuary.core.change_feed.listeners import wait_for_listeners
from promptuary.core.database import CONFIRMATION

CHANNEL = "promptuary"
PUBLISHED = "promptuary.published"
"""The key of a session's info under which the revisions are that it will publish."""


class ProjectRevisions(NamedTuple):
    """How often a project's prompts have changed, and how often its keys have."""

    revision: int
    access_revision: int


def publish_revisions(session: Session, project: int, revisions: ProjectRevisions) -> None:
    """Notify every process of a project's new revisions once the session's transaction is committed; never if it is not.

    The write then waits until each process that answers lookups from memory knows of it.
    """
    session.info.setdefault(PUBLISHED, {})[project] = revisions
    if session.connection().dialect.name == "postgresql":
        notification = {"channel": CHANNEL, "payload": f"{project} {revisions.revision} {revisions.access_revision}"}
        session.info[CONFIRMATION] = lambda database: wait_for_listeners(database, session.info[PUBLISHED])
        session.connection().execute(text("SELECT pg_notify(:channel, :payload)"), notification)
