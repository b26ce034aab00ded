"""A prompt's past from another server, as values: what they must be like, and how they go on from what is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.split import ARMS_LIMIT
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.label_store import LabelMove, LabelTarget
from promptuary.registry.labels import require_settable

EXPORT_HINT = "export it with --all-versions"


@dataclass(frozen=True)
class ImportedInclude:
    """What a reference in an imported version was pinned to, where it comes from."""

    reference: str
    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class ImportedVersion:
    """A version as it was registered somewhere else."""

    number: int
    digest: str
    content: Content
    message: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    includes: tuple[ImportedInclude, ...] = ()


@dataclass(frozen=True)
class Archival:
    """A prompt was archived, or restored, at a moment."""

    archived: bool
    reason: str
    at: datetime


@dataclass(frozen=True)
class ImportResult:
    """What an import did or would do: the numbers that are new, the moves that are, and the pins that lead nowhere here."""

    newest: int
    versions: tuple[int, ...]
    moves: tuple[LabelMove, ...]
    archivals: tuple[Archival, ...]
    unpinned: tuple[tuple[int, ImportedInclude], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything new in it."""
        return bool(self.versions or self.moves or self.archivals)


def check_versions(versions: Sequence[ImportedVersion], now: datetime, *, jinja2: bool) -> None:
    """See that each version is what its digest says, can be rendered here, and is of the past.

    What a new version must be besides is no matter here: these were registered by the rules of their day.
    """
    field_errors: list[FieldError] = []
    for version in versions:
        where = f"versions.{version.number}"
        if content_digest(version.content) != version.digest:
            field_errors.append(FieldError(f"{where}.digest", "is not that of the content"))
        if version.created_at > now:
            field_errors.append(FieldError(f"{where}.created_at", "is still to come; see that both servers' clocks are right"))
    if field_errors:
        raise InvalidRequest("the versions cannot be imported", field_errors)
    for version in versions:
        try:
            prepare(version.content, jinja2=jinja2)
        except InvalidPrompt as error:
            field_errors += [
                FieldError(f"versions.{version.number}.{fault.path}", fault.message) for fault in error.field_errors
            ]
    if field_errors:
        raise InvalidPrompt("the versions cannot be imported", field_errors)


def check_moves(name: str, history: Sequence[LabelMove], newest: int, now: datetime) -> None:
    """See that each move leads somewhere, and from where the one before it led."""
    require_settable(tuple({move.label for move in history}))
    field_errors: list[FieldError] = []
    last: dict[str, LabelMove] = {}
    for place, move in enumerate(history):
        where = f"history.{place}"
        arms = [arm.version for arm in move.split.arms] if move.split else [move.version]
        if not all(1 <= version <= newest for version in arms):
            field_errors.append(
                FieldError(where, f"leads to a version that is not there; the newest is {newest}; {EXPORT_HINT}")
            )
        if move.split and (
            move.split.salt != f"{name}/{move.label}"
            or move.version != arms[0]
            or len(set(arms)) != len(arms)
            or not 2 <= len(arms) <= ARMS_LIMIT
            or not all(0 < arm.weight < float("inf") for arm in move.split.arms)
        ):
            field_errors.append(FieldError(f"{where}.split", "is no split of this label"))
        before = last.get(move.label)
        if before is not None and move.previous != before.version:
            field_errors.append(
                FieldError(f"{where}.previous", f"is not where the move before it led, which is {before.version}")
            )
        if move.at > now:
            field_errors.append(FieldError(f"{where}.at", "is still to come; see that both servers' clocks are right"))
        last[move.label] = move
    if field_errors:
        raise InvalidRequest("the labels' history cannot be imported", field_errors)


def continuation(name: str, label: str, here: Sequence[LabelMove], there: Sequence[LabelMove]) -> Sequence[LabelMove]:
    """Give the moves from `there` that follow on what is here; both tell one label's story, `there` perhaps from its middle.

    Raises:
        Conflict: when they part.
    """
    told = [_told(move) for move in here]
    start = next((place for place, move in enumerate(told) if move == _told(there[0])), None)
    if start is not None:
        known = told[start : start + len(there)]
        if known == [_told(move) for move in there[: len(known)]]:
            return there[len(known) :]
    elif not here and there[0].previous is None:
        return there
    elif here and there[0].previous == here[-1].version and there[0].at >= here[-1].at:
        return there
    raise Conflict(
        f"the label '{label}' of '{name}' has gone another way here; its history cannot be put together with this one"
    )


def _told(move: LabelMove) -> tuple[LabelTarget, int | None, str, str, datetime]:
    return move.target, move.previous, move.actor, move.reason, move.at
