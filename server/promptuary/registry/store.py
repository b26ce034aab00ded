"""Queries of prompts: a session in, domain values out. Every query is scoped by the project."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Subquery
from sqlmodel import Session, col, or_, select, update

from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.tables import LabelRow, PromptRow, TagRow
from promptuary.registry.text_search import listing_store
from promptuary.registry.text_search.listing_store import ListPosition


@dataclass(frozen=True)
class PromptRecord:
    """A prompt: the number of its newest version, the project's revision in which it last changed, and its labels.

    A split label is in `labels` with the version of its first arm, and in `splits` as a whole. `tags` are those by which
    lists find the prompt: its own and its newest version's. `own_tags` is None until the prompt's own are first set.
    """

    id: int
    name: str
    newest: int
    revision: int
    created_at: datetime
    archived_at: datetime | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, Split] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    given_name: str | None = None
    own_tags: tuple[str, ...] | None = None

    @property
    def prompt_tags(self) -> tuple[str, ...]:
        """The prompt's own tags; those of its newest version until its own are first set."""
        return self.tags if self.own_tags is None else self.own_tags

    def labels_of(self, number: int) -> tuple[str, ...]:
        """Return the names of the labels that point at a version, alone or in an arm of a split."""
        arms = {name: {arm.version for arm in split.arms} for name, split in self.splits.items()}
        return tuple(name for name, first in self.labels.items() if number in arms.get(name, {first}))


@dataclass(frozen=True)
class PromptFilter:
    """Conditions of a list of prompts.

    Attributes:
        name_part: a part of the name.
        label: a label that the prompt has.
        tag: a tag of the prompt or of its newest version.
        archived: whether the archived prompts are listed, or the active ones.
        search: a part of the name or of a tag, or words of the name and of the newest version's content.
    """

    name_part: str | None = None
    label: str | None = None
    tag: str | None = None
    archived: bool = False
    search: str | None = None


def find_prompt(session: Session, project: int, name: str, *, lock: bool = False) -> PromptRecord | None:
    """Return a prompt by name; with `lock`, no other writer changes it until this transaction ends."""
    query = select(PromptRow).where(PromptRow.project_id == project, PromptRow.name == name)
    query = query.execution_options(populate_existing=True)  # its counters change without the session's objects
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return load_prompts(session, [row])[0] if row else None


def prompts_by_name(session: Session, project: int, names: Collection[str]) -> list[PromptRecord]:
    """Return those of some prompts that exist and are not archived, ordered by name."""
    query = select(PromptRow).where(PromptRow.project_id == project, col(PromptRow.archived_at).is_(None))
    return load_prompts(session, session.exec(query.where(col(PromptRow.name).in_(names)).order_by(PromptRow.name)))


@dataclass(frozen=True)
class PromptHead:
    """The name of a prompt, the one under which another registry's SDK created it, and the number of its newest version."""

    id: int
    name: str
    given_name: str | None
    newest: int


def heads_by_name(session: Session, project: int, names: Collection[str]) -> list[PromptHead]:
    """Return the prompts that have one of some names, as their own or as the given one; archived ones, too."""
    query = select(col(PromptRow.id), PromptRow.name, col(PromptRow.given_name), PromptRow.newest)
    query = query.where(PromptRow.project_id == project)
    named = or_(col(PromptRow.name).in_(names), col(PromptRow.given_name).in_(names))
    rows = session.exec(query.where(named))
    return [PromptHead(prompt or 0, name, given_name, newest) for prompt, name, given_name, newest in rows]


def prompt_names(session: Session, project: int, ids: Collection[int]) -> dict[int, str]:
    """Return the names of prompts by their ids, of archived ones too."""
    query = select(PromptRow.id, PromptRow.name).where(PromptRow.project_id == project, col(PromptRow.id).in_(ids))
    return {number: name for number, name in session.exec(query) if number is not None}


def list_prompts(
    session: Session, project: int, conditions: PromptFilter, after: ListPosition | None, limit: int
) -> list[PromptRecord]:
    """Return a page of prompts, ordered by name, or as `listing_store` describes for a search."""
    query = select(PromptRow).where(PromptRow.project_id == project).limit(limit)
    archived_at = col(PromptRow.archived_at)
    query = query.where(archived_at.is_not(None) if conditions.archived else archived_at.is_(None))
    if conditions.search:
        query = query.where(listing_store.matches(session, conditions.search)).order_by(listing_store.rank(conditions.search))
    query = query.order_by(PromptRow.name)
    if after is not None:
        query = query.where(listing_store.after(after, conditions.search))
    if conditions.name_part:
        part = conditions.name_part.lower()  # names are lower-case
        query = query.where(col(PromptRow.name).contains(part, autoescape=True))
    if conditions.label:
        labelled = select(LabelRow.prompt_id).where(LabelRow.name == conditions.label)
        query = query.where(col(PromptRow.id).in_(labelled))
    if conditions.tag:
        query = query.where(col(PromptRow.id).in_(select(TagRow.prompt_id).where(TagRow.tag == conditions.tag)))
    return load_prompts(session, session.exec(query).all())


def load_prompts(session: Session, rows: Iterable[PromptRow]) -> list[PromptRecord]:
    """Load the labels and tags of some rows, and return them as prompts, in the same order."""
    rows = list(rows)
    ids = [row.id for row in rows]
    labels: dict[int, dict[str, int]] = {}
    splits: dict[int, dict[str, Split]] = {}
    for label in session.exec(select(LabelRow).where(col(LabelRow.prompt_id).in_(ids)).order_by(LabelRow.name)):
        labels.setdefault(label.prompt_id, {})[label.name] = label.version
        if label.split is not None:
            splits.setdefault(label.prompt_id, {})[label.name] = split_from_json(label.split)
    tags: dict[int, list[str]] = {}
    for tag in session.exec(select(TagRow).where(col(TagRow.prompt_id).in_(ids)).order_by(TagRow.tag)):
        tags.setdefault(tag.prompt_id, []).append(tag.tag)
    return [
        PromptRecord(
            id=row.id or 0,
            name=row.name,
            newest=row.newest,
            revision=row.revision,
            created_at=row.created_at,
            archived_at=row.archived_at,
            labels=labels.get(row.id or 0, {}),
            splits=splits.get(row.id or 0, {}),
            tags=tuple(tags.get(row.id or 0, ())),
            given_name=row.given_name,
            own_tags=None if row.tags is None else tuple(row.tags),
        )
        for row in rows
    ]


def add_prompt(session: Session, project: int, name: str, at: datetime) -> PromptRecord:
    """Add a prompt that has no version yet."""
    row = PromptRow(project_id=project, name=name, created_at=at)
    session.add(row)
    session.flush()
    return PromptRecord(row.id or 0, name, 0, 0, at)


def find_given_name(session: Session, project: int, given_name: str) -> str | None:
    """Return the name of the prompt that another registry's SDK created under a name; None if there is none."""
    query = select(PromptRow.name).where(PromptRow.project_id == project, PromptRow.given_name == given_name)
    return session.exec(query).one_or_none()


def set_given_name(session: Session, prompt: PromptRecord, given_name: str) -> PromptRecord:
    """Store the name under which another registry's SDK created a prompt."""
    session.exec(update(PromptRow).where(col(PromptRow.id) == prompt.id).values(given_name=given_name))
    return replace(prompt, given_name=given_name)


def set_archived(session: Session, prompt: PromptRecord, at: datetime | None) -> None:
    """Store since when a prompt is archived; None for an active prompt."""
    session.exec(update(PromptRow).where(col(PromptRow.id) == prompt.id).values(archived_at=at))


def active_prompts(project: int) -> Subquery:
    """Return a project's active prompts as a subquery of `id`, `newest` and `revision`, for joins in the folders above."""
    query = select(col(PromptRow.id), col(PromptRow.newest), col(PromptRow.revision))
    return query.where(PromptRow.project_id == project, col(PromptRow.archived_at).is_(None)).subquery("heads")
