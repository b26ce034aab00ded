"""A passage of a text that is to be removed, and its type."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class PassageType(StrEnum):
    """What was removed; the text shows `[redacted: TYPE]` in its place."""

    EMAIL = "e-mail"
    CARD = "card"
    IBAN = "IBAN"
    PHONE = "phone"
    CREDENTIAL = "credential"
    VARIABLE = "variable"
    ENTITY = "entity"


@dataclass(frozen=True, order=True)
class PersonalPassage:
    """A part of a text, from `start` to before `end`, in characters."""

    start: int
    end: int
    type: PassageType


def replace_passages(text: str, passages: Iterable[PersonalPassage]) -> tuple[str, int]:
    """Return the text with a marker in place of each passage, and the number of markers; overlapping passages get one."""
    ordered = sorted(passages)
    if not ordered:
        return text, 0
    merged = [ordered[0]]
    for passage in ordered[1:]:
        last = merged[-1]
        if passage.start < last.end:
            merged[-1] = PersonalPassage(last.start, max(last.end, passage.end), last.type)
        else:
            merged.append(passage)
    pieces, end = [], 0
    for passage in merged:
        pieces += [text[end : passage.start], f"[redacted: {passage.type}]"]
        end = passage.end
    return "".join([*pieces, text[end:]]), len(merged)
