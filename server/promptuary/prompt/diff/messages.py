"""What changed between the messages of two chats: by message, then by part and by tool call, with a line diff of each text."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptuary.prompt.content import Placeholder
from promptuary.prompt.diff.json_changes import ABSENT, ChangeKind, ContentChange, JsonComparison
from promptuary.prompt.diff.sequences import edits, unified_diff
from promptuary.prompt.messages.message import Message

MessageOrPlaceholder = Message | Placeholder
_PART = "template"
_WITHOUT_TEXT = "the content of a message is a list of parts or null, and a program that reads it as a text fails"


@dataclass(frozen=True)
class MessageComparison:
    """What a comparison of messages needs beside them.

    Attributes:
        narrowed: the names that were variables and are placeholders now.
        effort: about how many steps the diff of one text may take.
    """

    narrowed: frozenset[str]
    effort: int

    def text_change(self, change: ContentChange) -> ContentChange:
        """Return a change with a line diff, if it is one of two texts."""
        if change.kind != "changed" or not isinstance(change.before, str) or not isinstance(change.after, str):
            return change
        if change.path.rpartition(".")[2] not in ("content", "text", "arguments"):
            return change
        return replace(change, diff=unified_diff(change.before, change.after, self.effort))


def message_changes(
    before: Sequence[MessageOrPlaceholder], after: Sequence[MessageOrPlaceholder], comparison: MessageComparison
) -> Iterator[ContentChange]:
    """Yield the differences of two chats, in the order of the new one."""
    texts_alone = not any(map(_has_no_text, before))
    for index, new_index in paired_indices(before, after, lambda message: message.role, _body):
        old = None if index is None else before[index]
        new = None if new_index is None else after[new_index]
        path = f"template.{index if new_index is None else new_index}"
        changes = _message_changes(path, old, new, comparison)
        if new is None or not (texts_alone and _has_no_text(new)):
            yield from changes
            continue
        for change in changes:
            yield replace(change, why=_WITHOUT_TEXT) if change.path in (path, f"{path}.content") else change


def paired_indices(
    before: Sequence[Any], after: Sequence[Any], group: Callable[[Any], str], body: Callable[[Any], str]
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the indices, before and after, of the items that are not the same; None where one was added or removed.

    Within an edit, items of the same group are paired first, in order, and then items of the same body.

    Args:
        before: models, which are the same if their JSON is.
        after: models.
        group: returns the group of an item, such as the role of a message.
        body: returns the text by which an item is recognized in another group.
    """
    old_items, new_items = ([_identity(item) for item in items] for items in (before, after))
    for edit in edits(old_items, new_items):
        free, paired, last = list(range(edit.start, edit.end)), {}, edit.start - 1
        for new_index in range(edit.new_start, edit.new_end):
            candidates = (index for index in free if index > last and group(before[index]) == group(after[new_index]))
            if (index := next(candidates, None)) is not None:
                paired[new_index] = last = index
        free = [index for index in free if index not in paired.values()]
        for new_index in range(edit.new_start, edit.new_end):
            candidates = (index for index in free if body(before[index]) == body(after[new_index]))
            if new_index not in paired and (index := next(candidates, None)) is not None:
                paired[new_index] = index
                free.remove(index)
        for new_index in range(edit.new_start, edit.new_end):
            while free and new_index in paired and free[0] < paired[new_index]:
                yield free.pop(0), None
            yield paired.get(new_index), new_index
        yield from ((index, None) for index in free)


def _message_changes(
    path: str, old: MessageOrPlaceholder | None, new: MessageOrPlaceholder | None, comparison: MessageComparison
) -> Iterator[ContentChange]:
    reason = None
    if isinstance(new, Placeholder) and new.name in comparison.narrowed:
        reason = f"the variable '{new.name}' is a placeholder now and accepts only a list of messages"
    if old is None or new is None:
        kind: ChangeKind = "added" if old is None else "removed"
        yield ContentChange(_PART, path, kind, _to_json(old), _to_json(new), why=reason)
    elif isinstance(old, Message) and isinstance(new, Message):
        yield from _field_changes(path, old, new, comparison)
    else:
        if old.role != new.role:
            yield ContentChange(_PART, f"{path}.role", "changed", old.role, new.role)
        if (before := _body(old)) != (after := _body(new)):
            field = "name" if isinstance(new, Placeholder) else "content"
            change = ContentChange(_PART, f"{path}.{field}", "changed", before, after, why=reason)
            yield comparison.text_change(change)


def _field_changes(path: str, old: Message, new: Message, comparison: MessageComparison) -> Iterator[ContentChange]:
    before, after = old.model_dump(), new.model_dump()
    for field in ("role", "content", "name", "tool_calls", "tool_call_id"):
        if field == "content" and isinstance(old.content, list) and isinstance(new.content, list):
            yield from _item_changes(f"{path}.content", old.content, new.content, comparison)
        elif field == "tool_calls":
            yield from _item_changes(f"{path}.tool_calls", old.tool_calls or (), new.tool_calls or (), comparison)
        else:
            changes = JsonComparison(_PART).changes(f"{path}.{field}", before.get(field, ABSENT), after.get(field, ABSENT))
            yield from map(comparison.text_change, changes)


def _item_changes(
    path: str, before: Sequence[Any], after: Sequence[Any], comparison: MessageComparison
) -> Iterator[ContentChange]:
    """Yield the differences of two lists of parts, or of tool calls."""
    for index, new_index in paired_indices(before, after, _item_group, _identity):
        old = ABSENT if index is None else before[index].model_dump()
        new = ABSENT if new_index is None else after[new_index].model_dump()
        place = f"{path}.{index if new_index is None else new_index}"
        yield from map(comparison.text_change, JsonComparison(_PART).changes(place, old, new))


def _item_group(item: Any) -> str:
    """Return the type of a part, or the name of the function that a tool call calls."""
    return str(item.function.name if item.type == "function" else item.type)


def _has_no_text(message: MessageOrPlaceholder) -> bool:
    return isinstance(message, Message) and not isinstance(message.content, str)


def _identity(item: Any) -> str:
    return json.dumps(item.model_dump(), sort_keys=True)


def _body(message: MessageOrPlaceholder) -> str:
    """Return the text of a message; the name of a placeholder."""
    return message.name if isinstance(message, Placeholder) else "\n".join(message.texts())


def _to_json(message: MessageOrPlaceholder | None) -> Any:
    return None if message is None else message.model_dump()
