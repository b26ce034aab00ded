"""What a folder above the registry implements so that an erasure also reaches what it stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from promptuary.access.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class ErasedVersion:
    """A version whose content is erased, as it is identified from then on."""

    prompt_id: int
    prompt: str
    number: int
    digest: str
    created_at: datetime
    erased_at: datetime


@dataclass(frozen=True)
class HolderReport:
    """What was removed, as numbers by the name of the thing, and sentences on what still contains the content."""

    removed: Mapping[str, int] = field(default_factory=dict)
    remaining: Sequence[str] = ()


class ContentHolder(Protocol):
    """A part of the service that stores contents of versions, or what was computed with them."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Remove, in the transaction of the erasure, everything that contains these versions' content. Idempotent."""
        ...
