"""The outcome of each part of a promptfoo file: nothing is left out without an entry."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from promptuary.evaluation.promptfoo.raw import RawObject

PLACES_SHOWN = 3


class PartOutcome(StrEnum):
    """The outcome of a part."""

    CARRIED = "carried"
    """It means the same here."""
    CHANGED = "changed"
    """It is different here, in a way that the message describes."""
    LEFT = "left out"
    """It has no place here, and no verdict depends on it."""
    REFUSED = "refused"
    """It has no place here, and verdicts would change without it."""


class Unsupported(Exception):
    """A part is not supported; the message has the reason and the remedy."""


@dataclass
class ReportEntry:
    """One kind of part with one outcome: how often, and where."""

    kind: str
    name: str
    fate: PartOutcome
    why: str
    places: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How often it is in the file."""
        return len(self.places)

    def as_value(self) -> RawObject:
        """Return the entry as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "fate": self.fate.value,
            "why": self.why or None,
            "count": self.count,
            "places": self.places,
        }

    def __str__(self) -> str:
        """Return the entry as one line."""
        times = f" ×{self.count}" if self.count > 1 else ""
        first_places = [place for place in dict.fromkeys(self.places) if place][:PLACES_SHOWN]
        where = (
            f" ({', '.join(first_places)}{' …' if self.count > len(first_places) else ''})" if first_places and self.why else ""
        )
        return f"{self.fate.value:<8}  {self.kind} {self.name}{times}{': ' + self.why if self.why else ''}{where}"


class TranslationReport:
    """The outcomes of all parts of a file, collected by type."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, PartOutcome, str], ReportEntry] = {}

    def add(self, kind: str, name: str, fate: PartOutcome, why: str = "", place: str = "") -> None:
        """Record the outcome of a part."""
        key = (kind, name, fate, why)
        self._entries.setdefault(key, ReportEntry(*key)).places.append(place)

    def carry(self, kind: str, name: str, place: str = "") -> None:
        """Record a part that means the same here."""
        self.add(kind, name, PartOutcome.CARRIED, place=place)

    def change(self, kind: str, name: str, why: str, place: str = "") -> None:
        """Record a part that is different here."""
        self.add(kind, name, PartOutcome.CHANGED, why, place)

    def leave(self, kind: str, name: str, why: str, place: str = "") -> None:
        """Record a part that no verdict depends on."""
        self.add(kind, name, PartOutcome.LEFT, why, place)

    def refuse(self, kind: str, name: str, why: str, place: str = "") -> None:
        """Record a part without which verdicts would change."""
        self.add(kind, name, PartOutcome.REFUSED, why, place)

    @property
    def entries(self) -> list[ReportEntry]:
        """All of them: what is refused first, what is carried last; each in the file's order."""
        order = [PartOutcome.REFUSED, PartOutcome.CHANGED, PartOutcome.LEFT, PartOutcome.CARRIED]
        return sorted(self._entries.values(), key=lambda entry: order.index(entry.fate))

    def of(self, fate: PartOutcome) -> list[ReportEntry]:
        """Return the entries with one outcome."""
        return [entry for entry in self.entries if entry.fate is fate]

    def lines(self) -> Iterator[str]:
        """Yield every entry as one line."""
        yield from map(str, self.entries)
