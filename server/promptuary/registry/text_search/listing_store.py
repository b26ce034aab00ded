"""How a list of prompts is searched: what matches, and in which order.

A prompt matches when its name or one of its tags contains the search as it is, or when every word of the search is the
beginning of a word of its name or of the content of its newest version. The prompt of that name comes first, then those whose
name contains the search, then the others, each group by name. The order depends on nothing else, so pages never overlap.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, or_, tuple_
from sqlmodel import Session, col, select

from promptuary.core.errors import InvalidCursor
from promptuary.prompt.name import fold_name, is_name
from promptuary.registry.tables import PromptRow, TagRow
from promptuary.registry.text_search.word_store import matching_prompts

_NAMED, _NAME_CONTAINS, _OTHER = range(3)


@dataclass(frozen=True)
class ListPosition:
    """The place of a prompt in a list, after which a page begins; the rank is 0 in a list without a search."""

    rank: int
    name: str

    @classmethod
    def of(cls, name: str, search: str | None) -> "ListPosition":
        """Return the position of a prompt."""
        if not search:
            return cls(0, name)
        part = name_part(search)
        return cls(_NAMED if name == part else _NAME_CONTAINS if part in name else _OTHER, name)

    def key(self, search: str | None) -> str:
        """Return the position as a cursor has it."""
        return f"{self.rank} {self.name}" if search else self.name

    @classmethod
    def from_key(cls, key: str, search: str | None) -> "ListPosition":
        """Return the position in a cursor.

        Raises:
            InvalidCursor: for a cursor of another list.
        """
        position = cls.of(key.partition(" ")[2] if search else key, search)
        if not is_name(position.name) or position.key(search) != key:
            raise InvalidCursor("the cursor does not come from this list; start again without one")
        return position


def name_part(search: str) -> str:
    """Return a search in the form of names, so that `Support/Triage` is found."""
    return fold_name(search) if "/" in search else search.strip().lower()


def matches(session: Session, search: str) -> ColumnElement[bool]:
    """Return the condition that a prompt matches a search."""
    tagged = select(TagRow.prompt_id).where(
        or_(col(TagRow.tag).contains(search, autoescape=True), func.lower(TagRow.tag).contains(search.lower(), autoescape=True))
    )
    conditions = [
        col(PromptRow.name).contains(name_part(search), autoescape=True),
        func.lower(PromptRow.given_name).contains(search.lower(), autoescape=True),
        col(PromptRow.id).in_(tagged),
    ]
    if (words := matching_prompts(session, search)) is not None:
        conditions.append(col(PromptRow.id).in_(words))
    return or_(*conditions)


def rank(search: str) -> ColumnElement[int]:
    """Return the rank of a matching prompt, as `ListPosition` has it."""
    part = name_part(search)
    name = col(PromptRow.name)
    return case((name == part, _NAMED), (name.contains(part, autoescape=True), _NAME_CONTAINS), else_=_OTHER)


def after(position: ListPosition, search: str | None) -> ColumnElement[bool]:
    """Return the condition that a prompt comes after a position."""
    if not search:
        return col(PromptRow.name) > position.name
    return tuple_(rank(search), col(PromptRow.name)) > tuple_(position.rank, position.name)
