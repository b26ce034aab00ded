"""The wire models of the erasure of an end user."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.registry.erasure.schemas import StorageOut
from promptuary.traffic.erasure.user_erasure import UserErased

PENDING = "the files are being rewritten; repeat the call to see the result"


class EraseUser(RequestModel):
    """Whose calls are erased, by the id that the application sends as the user, and why."""

    user: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(repr=False)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]


class UserErasedOut(ResponseModel):
    """What was removed, as numbers, and what remains."""

    user_hash: str
    removed: Mapping[str, int]
    remaining: list[str]
    storage: StorageOut

    @classmethod
    def of(cls, erased: UserErased) -> Self:
        """Build the wire model of an erasure whose files are not rewritten yet."""
        return cls(
            user_hash=erased.user_hash,
            removed=erased.removed,
            remaining=list(erased.remaining),
            storage=StorageOut(scrubbed=False, detail=PENDING),
        )
