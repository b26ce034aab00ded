"""The history of a prompt from another server: its values, their validation, and how it continues the local history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.prompt.digest import EncodedContent
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.split import ARMS_LIMIT
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.label_store import LabelTarget, NewLabelMove
from promptuary.registry.labels import require_settable

EXPORT_HINT = "export it with --all-versions"
_IN_THE_FUTURE = "is in the future; check the clocks of both servers"


@dataclass(frozen=True)
class ImportedInclude:
    """A reference in an imported version, and the version to which it was pinned on the other server."""

    reference: str
    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class ImportedVersion:
    """A version as it was registered on another server; `digest` is the one that the server sent.

    One that was erased there has the time of that, and comes without its content.
    """

    number: int
    digest: str
    content: EncodedContent
    message: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    includes: tuple[ImportedInclude, ...] = ()
    erased_at: datetime | None = None


@dataclass(frozen=True)
class Archival:
    """The time when a prompt was archived or restored."""

    archived: bool
    reason: str
    at: datetime


@dataclass(frozen=True)
class ImportedNaming:
    """The name of a prompt in another registry's SDK, and the prompt's own tags; None where it has none."""

    given_name: str | None = None
    prompt_tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PromptHistory:
    """The history of a prompt besides its versions: label moves and archivals, the oldest first; and its naming."""

    moves: Sequence[NewLabelMove] = ()
    archivals: Sequence[Archival] = ()
    naming: ImportedNaming = ImportedNaming()


@dataclass(frozen=True)
class ImportResult:
    """What an import did or would do: the new version numbers and moves, and the includes that are unknown here."""

    newest: int
    versions: tuple[int, ...]
    moves: tuple[NewLabelMove, ...]
    archivals: tuple[Archival, ...]
    unpinned: tuple[tuple[int, ImportedInclude], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is new."""
        return bool(self.versions or self.moves or self.archivals)


def validate_versions(versions: Sequence[ImportedVersion], now: datetime, *, jinja2: bool) -> None:
    """Check that each version has its digest, can be rendered here, and is of the past.

    The other rules of a registration do not apply: these versions were registered by the rules of their time.

    Raises:
        InvalidRequest: for a wrong digest, or a time in the future.
        InvalidPrompt: for a content that cannot be rendered.
    """
    field_errors: list[FieldError] = []
    for version in versions:
        path = f"versions.{version.number}"
        if version.content.digest != version.digest:
            field_errors.append(FieldError(f"{path}.digest", "is not that of the content"))
        if max(version.created_at, version.erased_at or version.created_at) > now:
            field_errors.append(FieldError(f"{path}.created_at", _IN_THE_FUTURE))
    if field_errors:
        raise InvalidRequest("the versions cannot be imported", field_errors)
    for version in versions:
        if version.erased_at is not None:
            continue
        try:
            prepare(version.content.content, jinja2=jinja2)
        except InvalidPrompt as error:
            field_errors += [
                FieldError(f"versions.{version.number}.{field_error.path}", field_error.message)
                for field_error in error.field_errors
            ]
    if field_errors:
        raise InvalidPrompt("the versions cannot be imported", field_errors)


def validate_moves(name: str, moves: Sequence[NewLabelMove], newest: int, now: datetime) -> None:
    """Check that each move has an existing target, and starts at the target of the move before it.

    Raises:
        InvalidRequest: with every error.
    """
    require_settable(tuple({move.label for move in moves}))
    field_errors: list[FieldError] = []
    last_moves: dict[str, NewLabelMove] = {}
    for number, move in enumerate(moves):
        path = f"history.{number}"
        arms = [arm.version for arm in move.split.arms] if move.split else [move.version]
        if move.target is not None and not all(version is not None and 1 <= version <= newest for version in arms):
            message = f"points at a version that does not exist; the newest is {newest}; {EXPORT_HINT}"
            field_errors.append(FieldError(path, message))
        if move.split and not _is_split_of(move, f"{name}/{move.label}"):
            field_errors.append(FieldError(f"{path}.split", "is not a split of this label"))
        before = last_moves.get(move.label)
        if before is not None and move.previous != before.version:
            message = f"is not the version of the move before it, which is {before.version}"
            field_errors.append(FieldError(f"{path}.previous", message))
        if move.at > now:
            field_errors.append(FieldError(f"{path}.at", _IN_THE_FUTURE))
        last_moves[move.label] = move
    if field_errors:
        raise InvalidRequest("the labels' history cannot be imported", field_errors)


def validate_archivals(archivals: Sequence[Archival], now: datetime) -> None:
    """Check that archivals are of the past, and alternate with restorations.

    Raises:
        InvalidRequest: with every error.
    """
    field_errors = [
        FieldError(f"archivals.{number}.at", _IN_THE_FUTURE) for number, archival in enumerate(archivals) if archival.at > now
    ]
    if any(archival.archived != (number % 2 == 0) for number, archival in enumerate(archivals)):
        field_errors.append(FieldError("archivals", "must alternate between archived and restored, archived first"))
    if field_errors:
        raise InvalidRequest("the prompt cannot be imported", field_errors)


def continuation(
    name: str, label: str, local: Sequence[NewLabelMove], imported: Sequence[NewLabelMove]
) -> Sequence[NewLabelMove]:
    """Return the imported moves of a label that follow on the local ones.

    Both are parts of one history; the imported part may begin in the middle of it.

    Raises:
        Conflict: when the two histories differ.
    """
    known = [_comparable(move) for move in local]
    start = next((number for number, move in enumerate(known) if move == _comparable(imported[0])), None)
    if start is not None:
        common = known[start : start + len(imported)]
        if common == [_comparable(move) for move in imported[: len(common)]]:
            return imported[len(common) :]
    elif not local and imported[0].previous is None:
        return imported
    elif local and imported[0].previous == local[-1].version and imported[0].at >= local[-1].at:
        return imported
    raise Conflict(f"the label '{label}' of '{name}' has another history here; the two histories cannot be combined")


def _is_split_of(move: NewLabelMove, salt: str) -> bool:
    assert move.split is not None
    versions = [arm.version for arm in move.split.arms]
    return (
        move.split.salt == salt
        and move.version == versions[0]
        and len(set(versions)) == len(versions)
        and 2 <= len(versions) <= ARMS_LIMIT
        and all(0 < arm.weight < float("inf") for arm in move.split.arms)
    )


def _comparable(move: NewLabelMove) -> tuple[LabelTarget | None, int | None, str, str, datetime]:
    return move.target, move.previous, move.actor, move.reason, move.at
