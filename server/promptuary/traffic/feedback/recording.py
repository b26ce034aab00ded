"""The rules of feedback: stored once, counted with its call, corrected by its sender, and joined with calls that come later."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from promptuary.core.database import Session
from promptuary.traffic.calls.sensitive_names import SensitiveNames
from promptuary.traffic.counters.counts import FeedbackCounts, SeriesKey
from promptuary.traffic.counters.store import SeriesHour, add_feedback_counts, require_series
from promptuary.traffic.feedback import store
from promptuary.traffic.feedback.feedback import (
    Feedback,
    FeedbackCall,
    FeedbackSource,
    IsAround,
    find_exactly,
    find_inside,
    hour_of,
)

RedactText = Callable[[str], tuple[str, int]]
WITHHELD = "[withheld: the prompt has sensitive variables]"
"""The comment or correction of a prompt with sensitive variables: their values are not stored, and not known here."""
TEXT_LIMIT = 100_000
"""Characters of a comment or a correction; what is longer is refused at the API, and cut in events."""


@dataclass(frozen=True)
class FeedbackRecording:
    """What recording needs, inside one transaction.

    Attributes:
        session: for writing.
        project: of the feedback.
        now: the time.
        low_value: a value below it is low.
        redact: removes people's data from a text, and counts the passages.
        sensitive: the variables that versions declare as sensitive.
    """

    session: Session
    project: int
    now: datetime
    low_value: float
    redact: RedactText
    sensitive: SensitiveNames = field(default_factory=SensitiveNames)


@dataclass(frozen=True)
class RecordedFeedback:
    """What became of feedback: `stored` is as it is now; it is neither new nor changed where the delivery is repeated."""

    stored: Feedback
    is_new: bool = False
    is_changed: bool = False
    belongs_to_another: bool = False


def record_feedback(recording: FeedbackRecording, items: Sequence[Feedback]) -> list[RecordedFeedback]:
    """Store feedback, tie it to its calls, and count it; return what became of each.

    Feedback under the id of an earlier one of the same sender replaces it, and the counters follow, unless it is older. The
    same feedback once more changes nothing. Feedback under the id of another sender is not stored.

    Args:
        recording: the transaction and its settings.
        items: not yet redacted; tied to no call; `place` and `is_low` are set here.
    """
    results: list[RecordedFeedback] = []
    for batch in _batches_of_different_ids(items):
        results += _record(recording, batch)
    return results


def join_feedback(recording: FeedbackRecording, calls: Sequence[FeedbackCall]) -> None:
    """Join feedback that waits with calls that were just stored, and count it with them."""
    if calls and store.is_any_waiting(recording.session, recording.project):
        _join(recording, calls, with_outer_spans=False)


def move_feedback(recording: FeedbackRecording, observation_ids: Collection[str]) -> None:
    """Count the feedback on calls where they are counted now; call it when calls have moved to another series."""
    session, project = recording.session, recording.project
    tied = store.feedback_on(session, project, observation_ids)
    if not tied:
        return
    calls = {call.observation_id: call for call in store.calls_by_id(session, project, observation_ids)}
    moved = _placed(
        recording, [_tied(recording, item, calls.get(item.observation_id or "")) for item in tied], list(calls.values())
    )
    changes: list[tuple[Feedback | None, Feedback]] = [
        (before, after) for before, after in zip(tied, moved, strict=True) if before != after
    ]
    for _, item in changes:
        store.update_feedback(session, project, item)
    _count(recording, changes)


def settle_feedback(recording: FeedbackRecording, observation_ids: Collection[str], is_around: IsAround | None = None) -> None:
    """Join the rest of the feedback that waits with calls whose wait is about to end; call it before their stratum is chosen.

    An evaluation of a span around calls, at any depth, is tied to the last of them, where all have the same version: only now
    they are all known. Feedback that was written in the very moment in which its call was is joined here, too.

    Args:
        recording: the transaction and its settings.
        observation_ids: of the calls.
        is_around: see `find_inside`.
    """
    session, project = recording.session, recording.project
    if observation_ids and store.is_any_waiting(session, project):
        _join(recording, store.calls_by_id(session, project, observation_ids), with_outer_spans=True, is_around=is_around)


def _record(recording: FeedbackRecording, items: Sequence[Feedback]) -> list[RecordedFeedback]:
    """Record feedback with different ids."""
    session, project = recording.session, recording.project
    calls = store.find_calls(session, project, [item.reference for item in items])
    redacted = [_redacted(recording, item) for item in items]
    tied = _placed(recording, [_tied(recording, item, find_exactly(item.reference, calls)) for item in redacted], calls)
    added = store.add_feedback(session, project, tied)
    before = store.find_feedback(session, project, {item.id for item in tied} - added, lock=True)
    results: list[RecordedFeedback] = []
    written: list[Feedback] = []
    changes: list[tuple[Feedback | None, Feedback]] = []
    for item in tied:
        earlier = before.get(item.id)
        if earlier is None:
            written.append(item)
            changes.append((None, item))
            results.append(RecordedFeedback(item, is_new=True))
        elif earlier.sender != item.sender:
            results.append(RecordedFeedback(earlier, belongs_to_another=True))
        elif _is_repeated(earlier, item) or item.at < earlier.at:
            results.append(RecordedFeedback(earlier))
        else:
            changed = _with_place_of(earlier, replace(item, created_at=earlier.created_at))
            store.update_feedback(session, project, changed)
            written.append(changed)
            changes.append((earlier, changed))
            results.append(RecordedFeedback(changed, is_changed=True))
    store.set_waiting(session, project, written)
    _count(recording, changes)
    return results


def _with_place_of(earlier: Feedback, item: Feedback) -> Feedback:
    """Return a correction of feedback; one on the same call, of which nothing is known, is counted where the earlier one is.

    The call may have left, or was not sampled: its hour, label, variant and model are known by the earlier place alone.
    """
    stated = (item.prompt_id, item.version, item.reference)
    is_same = stated == (earlier.prompt_id, earlier.version, earlier.reference) and not item.reference.is_empty
    if item.observation_id is not None or not is_same or item.place is None or earlier.place is None:
        return item
    return replace(item, observation_id=earlier.observation_id, place=earlier.place)


def _is_repeated(earlier: Feedback, item: Feedback) -> bool:
    """Return whether feedback is the stored one once more; the id of an event is made of its content."""
    return item.source is FeedbackSource.EVALUATION or earlier.statement == item.statement


def _join(
    recording: FeedbackRecording,
    calls: Sequence[FeedbackCall],
    *,
    with_outer_spans: bool,
    is_around: IsAround | None = None,
) -> None:
    session, project = recording.session, recording.project
    waiting = store.waiting_feedback(session, project, {subject for call in calls for subject in call.subjects})
    if not waiting:
        return
    known = list(calls)
    if with_outer_spans:
        others = store.find_calls(session, project, [item.reference for item in waiting])
        known = list({call.observation_id: call for call in (*others, *calls)}.values())
    pairs = []
    for item in waiting:
        call = find_exactly(item.reference, known)
        if call is None and with_outer_spans:
            call = find_inside(item.reference, known, is_around)
        if call is not None:
            pairs.append((item, _tied(recording, item, call)))
    joined = _placed(recording, [item for _, item in pairs], known)
    for item in joined:
        store.update_feedback(session, project, item)
    store.set_waiting(session, project, [item for item in joined if item.observation_id is not None])
    _count(recording, [(before, item) for (before, _), item in zip(pairs, joined, strict=True)])


def _tied(recording: FeedbackRecording, item: Feedback, call: FeedbackCall | None) -> Feedback:
    """Return feedback with its call, and without texts that may quote the value of a sensitive variable."""
    tied = _with_call(item, call)
    names = recording.sensitive.of(recording.session, tied.prompt_id, tied.version)
    has_texts = {tied.comment, tied.correction} - {"", None, WITHHELD}
    if names == frozenset() or not has_texts:
        return tied
    correction = tied.correction and WITHHELD
    return replace(tied, comment=tied.comment and WITHHELD, correction=correction, redacted=tied.redacted + len(has_texts))


def _with_call(item: Feedback, call: FeedbackCall | None) -> Feedback:
    """Return feedback with its call; feedback that names another version than its call does stays without the call.

    Feedback that names no prompt takes the call's.
    """
    if call is None:
        return replace(item, observation_id=None)
    stated = (item.prompt_id, item.version)
    actual = (call.prompt_id, call.version)
    if item.prompt_id is None:
        return replace(item, observation_id=call.observation_id, prompt_id=call.prompt_id, version=call.version)
    if call.prompt_id is None or stated == actual:
        return replace(item, observation_id=call.observation_id)
    return replace(item, observation_id=None)


def _placed(recording: FeedbackRecording, items: Sequence[Feedback], calls: Sequence[FeedbackCall]) -> list[Feedback]:
    """Return feedback with the place where it is counted: the call's, else where it is counted already, else its version's."""
    known = {call.observation_id: call for call in calls}
    of_versions: set[SeriesKey] = set()
    for item in items:
        call = known.get(item.observation_id or "")
        if _is_counted(item) and item.place is None and (call is None or call.prompt_id is None):
            of_versions.add(_version_key(item))
    series = require_series(recording.session, recording.project, of_versions) if of_versions else {}
    placed = []
    for item in items:
        call = known.get(item.observation_id or "")
        place = None
        if _is_counted(item):
            if call is not None and call.prompt_id is not None:
                place = SeriesHour(call.series_id, hour_of(call.at))
            else:
                place = item.place or SeriesHour(series[_version_key(item)], hour_of(item.at))
        is_low = item.value is not None and item.value < recording.low_value
        placed.append(replace(item, place=place, is_low=place is not None and is_low))
    return placed


def _is_counted(item: Feedback) -> bool:
    return item.value is not None and item.prompt_id is not None


def _version_key(item: Feedback) -> SeriesKey:
    return SeriesKey(item.prompt_id, item.version, item.prompt_label, item.prompt_variant)


def _count(recording: FeedbackRecording, changes: Sequence[tuple[Feedback | None, Feedback]]) -> None:
    """Change the counters."""
    sums: dict[SeriesHour, FeedbackCounts] = defaultdict(FeedbackCounts)
    for before, after in changes:
        for item, sign in ((before, -1), (after, 1)):
            if item is not None and item.place is not None and item.value is not None:
                sums[item.place] += FeedbackCounts(sign, sign * item.value, sign * item.is_low)
    add_feedback_counts(recording.session, sums)


def _redacted(recording: FeedbackRecording, item: Feedback) -> Feedback:
    comment, in_comment = recording.redact(item.comment) if item.comment else ("", 0)
    correction, in_correction = recording.redact(item.correction) if item.correction else (item.correction, 0)
    name, in_name = recording.redact(item.name) if item.name else ("", 0)
    label, in_label = recording.redact(item.label) if item.label else (item.label, 0)
    removed = in_comment + in_correction + in_name + in_label
    served_label, served_variant = (recording.redact(text)[0] for text in (item.prompt_label, item.prompt_variant))
    return replace(
        item,
        name=name,
        label=label,
        comment=comment,
        correction=correction,
        redacted=removed,
        prompt_label=served_label,
        prompt_variant=served_variant,
    )


def _batches_of_different_ids(items: Sequence[Feedback]) -> Iterable[list[Feedback]]:
    """Yield the items in order, in lists in which each id occurs once."""
    batch: dict[str, Feedback] = {}
    for item in items:
        if item.id in batch:
            yield list(batch.values())
            batch = {}
        batch[item.id] = item
    if batch:
        yield list(batch.values())
