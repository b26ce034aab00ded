"""Feedback on behalf of a caller: which version it names, whose it is, and what is listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from promptuary.access.identity import shown_name
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import (
    AlreadyExists,
    Conflict,
    FieldError,
    InvalidCursor,
    InvalidRequest,
    NotFound,
    PromptuaryError,
)
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.registry import version_store
from promptuary.registry.given_names import resolve_name
from promptuary.registry.store import PromptRecord, find_prompt, prompt_names
from promptuary.traffic.calls.bounds import TimeBounds
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.feedback import store
from promptuary.traffic.feedback.feedback import CallReference, Feedback, find_exactly
from promptuary.traffic.feedback.recording import FeedbackRecording, RecordedFeedback, record_feedback
from promptuary.traffic.feedback.store import FeedbackFilter
from promptuary.traffic.redaction.hook import build_redactor
from promptuary.traffic.redaction.stored_id import stored_id
from promptuary.traffic.settings.project_settings import ProjectTraffic
from promptuary.traffic.settings.store import load_project_traffic, require_project_traffic


@dataclass(frozen=True, kw_only=True)
class NewFeedback:
    """Feedback as a sender states it; see `FeedbackIn`. `value` is from 0 to 1."""

    prompt: str
    version: int | None
    digest: str | None
    value: float
    observation: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    name: str = ""
    comment: str = ""
    correction: str | None = None
    user: str | None = None
    id: str | None = None
    at: datetime | None = None
    prompt_label: str | None = None
    prompt_variant: str | None = None


@dataclass(frozen=True)
class FeedbackView:
    """Stored feedback, with the names that people see. `is_new` is whether this request created it."""

    feedback: Feedback
    prompt: str | None
    sender: str
    is_new: bool = False


@dataclass(frozen=True)
class RefusedFeedback:
    """Feedback of a list that is not stored; its id is as it would be stored."""

    index: int
    id: str | None
    error: PromptuaryError


@dataclass(frozen=True)
class FeedbackReception:
    """What became of a list."""

    accepted: int
    refused: Sequence[RefusedFeedback]


@dataclass(frozen=True)
class ListedFeedback:
    """What a list contains: `prompt` by its name, the rest as `FeedbackFilter`."""

    prompt: str | None = None
    version: int | None = None
    observation: str | None = None
    name: str | None = None
    below: float | None = None


@dataclass(frozen=True)
class FeedbackService:
    """A project's feedback on behalf of a caller."""

    unit: UnitOfWork

    def add(self, item: NewFeedback) -> FeedbackView:
        """Store feedback, or replace the caller's earlier one of the same id.

        Raises:
            InvalidRequest: for a time that counters do not keep, or from the future.
            NotFound: when there is no such prompt or version.
            Conflict: when the call that it names is known and has another version.
            AlreadyExists: when the id is that of somebody else's feedback.
        """
        received, error = self._record({0: item})
        if error:
            raise error[0].error
        return self._view([received[0].stored], is_new=received[0].is_new)[0]

    def add_list(self, items: Mapping[int, NewFeedback]) -> FeedbackReception:
        """Store the feedback of a list, by its place there, except what is refused."""
        received, refused = self._record(items)
        return FeedbackReception(len(received), refused)

    def find(self, limit: int, cursor: str | None, listed: ListedFeedback) -> Page[FeedbackView]:
        """Return a page of feedback, the newest first.

        Raises:
            NotFound: when there is no such prompt.
        """
        prompt_id = None if listed.prompt is None else self._prompt(listed.prompt).id
        session, project = self.unit.session, self.unit.caller.project
        key = load_project_traffic(session, project, self.unit.settings).user_key
        observation = listed.observation and stored_id(listed.observation, key)
        selected = FeedbackFilter(prompt_id, listed.version, observation, listed.name, listed.below)
        rows = store.list_feedback(session, project, selected, _position(cursor), limit + 1)
        page = build_page(rows, limit, lambda item: f"{item.at.isoformat()} {item.id}")
        return Page(self._view(page.items), page.next_cursor)

    def _record(self, items: Mapping[int, NewFeedback]) -> tuple[Sequence[RecordedFeedback], Sequence[RefusedFeedback]]:
        unit = self.unit
        traffic = require_project_traffic(unit.session, unit.caller.project, unit.settings)
        versions: dict[tuple[str, int | None, str | None], tuple[int, int] | PromptuaryError] = {}
        accepted, refused = [], []
        times = TimeBounds.at(unit.clock(), traffic.settings.counter_days)
        for index, item in items.items():
            if item.at is not None and (message := times.error(item.at)) is not None:
                refused.append(RefusedFeedback(index, item.id, InvalidRequest(f"at {message}", [FieldError("at", message)])))
                continue
            key = (item.prompt, item.version, item.digest)
            if key not in versions:
                versions[key] = self._version_or_error(item)
            version = versions[key]
            if isinstance(version, PromptuaryError):
                refused.append(RefusedFeedback(index, item.id and stored_id(item.id, traffic.user_key), version))
            else:
                accepted.append((index, self._feedback(item, version, traffic)))
        conflicts = self._conflicts([item for _, item in accepted])
        refused += [RefusedFeedback(index, new.id, conflicts[new.id]) for index, new in accepted if new.id in conflicts]
        accepted = [(index, new) for index, new in accepted if new.id not in conflicts]
        low_value, redact = traffic.settings.low_value, build_redactor(unit.settings).redact_text
        recording = FeedbackRecording(unit.session, unit.caller.project, unit.clock(), low_value, redact)
        recorded = record_feedback(recording, [new for _, new in accepted])
        results = []
        for (index, new), result in zip(accepted, recorded, strict=True):
            if result.belongs_to_another:
                error = AlreadyExists(f"the feedback '{new.id}' is somebody else's; send yours under another id")
                refused.append(RefusedFeedback(index, new.id, error))
            else:
                results.append(result)
        return results, sorted(refused, key=lambda each: each.index)

    def _version_or_error(self, item: NewFeedback) -> tuple[int, int] | PromptuaryError:
        try:
            prompt = self._prompt(item.prompt)
            return prompt.id, self._number(prompt, item)
        except PromptuaryError as error:
            return error

    def _prompt(self, name: str) -> PromptRecord:
        prompt = find_prompt(self.unit.session, self.unit.caller.project, resolve_name(self.unit, name))
        if prompt is None:
            raise NotFound(f"there is no prompt '{name}' in this project")
        return prompt

    def _number(self, prompt: PromptRecord, item: NewFeedback) -> int:
        if item.version is not None:
            if item.version > prompt.newest:
                raise NotFound(f"the prompt '{prompt.name}' has no version {item.version}; its newest is {prompt.newest}")
            return item.version
        numbers = version_store.numbers_by_digest(self.unit.session, prompt, item.digest or "")
        if not numbers:
            raise NotFound(f"the prompt '{prompt.name}' has no version with the digest {item.digest}")
        return next(iter(numbers.values()))

    def _feedback(self, item: NewFeedback, version: tuple[int, int], traffic: ProjectTraffic) -> Feedback:
        now = self.unit.clock()
        prompt_id, number = version
        observation = item.observation and stored_id(item.observation, traffic.user_key)
        return Feedback(
            id=stored_id(item.id, traffic.user_key) if item.id else str(uuid4()),
            prompt_id=prompt_id,
            version=number,
            reference=CallReference(name=observation, trace_id=item.trace_id, span_id=item.span_id),
            name=item.name,
            value=item.value,
            comment=item.comment,
            correction=item.correction,
            user_hash=None if item.user is None else hash_user(item.user, traffic.user_key),
            sender=self.unit.caller.identity,
            at=now if item.at is None else min(item.at, now),
            created_at=now,
            prompt_label=item.prompt_label or "",
            prompt_variant=item.prompt_variant or "",
        )

    def _conflicts(self, items: Sequence[Feedback]) -> dict[str, PromptuaryError]:
        """Return the errors of feedback whose call is known and has another version, by id."""
        session, project = self.unit.session, self.unit.caller.project
        calls = store.find_calls(session, project, [item.reference for item in items])
        conflicts: dict[str, PromptuaryError] = {}
        for item in items:
            call = find_exactly(item.reference, calls)
            if call is None or call.prompt_id is None or (call.prompt_id, call.version) == (item.prompt_id, item.version):
                continue
            name = prompt_names(session, project, [call.prompt_id]).get(call.prompt_id)
            conflicts[item.id] = Conflict(
                f"the call that the feedback names is one of version {call.version} of '{name}'; send that version, or no call"
            )
        return conflicts

    def _view(self, items: Sequence[Feedback], *, is_new: bool = False) -> list[FeedbackView]:
        session = self.unit.session
        names = prompt_names(session, self.unit.caller.project, {item.prompt_id for item in items if item.prompt_id})
        return [FeedbackView(item, names.get(item.prompt_id or 0), shown_name(session, item.sender), is_new) for item in items]


def _position(cursor: str | None) -> tuple[datetime, str] | None:
    key = decode_cursor(cursor, str)
    if key is None:
        return None
    at, _, last = key.partition(" ")
    try:
        return datetime.fromisoformat(at), last
    except ValueError:
        raise InvalidCursor("the cursor does not come from this server; start again without one") from None
