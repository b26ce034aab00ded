"""What the route of a diff answers."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from promptuary.core.wire import ResponseModel
from promptuary.registry.comparison import VersionComparison
from promptuary.registry.store import Version


class SideOut(ResponseModel):
    """One of the two versions."""

    version: int
    digest: str

    @classmethod
    def of(cls, version: Version) -> Self:
        """Make it from the domain's value."""
        return cls(version=version.number, digest=version.digest)


class ChangeOut(ResponseModel):
    """One difference: in which part, at which dotted path, and why it breaks a program that works with the old version.

    `before` is null for what was added, `after` for what was removed, `why` for what breaks nothing. `diff` is a unified line
    diff where two texts are compared.
    """

    part: str
    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any
    diff: str | None
    breaking: bool
    why: str | None


class DiffOut(ResponseModel):
    """What changed from one version to another, in the order of a version's parts; `reasons` has a sentence a break."""

    name: str
    before: Annotated[SideOut, Field(alias="from")]
    after: Annotated[SideOut, Field(alias="to")]
    breaking: bool
    reasons: list[str]
    changes: list[ChangeOut]

    @classmethod
    def of(cls, found: VersionComparison) -> Self:
        """Make it from the domain's value."""
        return cls.model_validate(
            {
                "name": found.after.prompt,
                "from": SideOut.of(found.before),
                "to": SideOut.of(found.after),
                "breaking": found.diff.breaking,
                "reasons": list(found.diff.reasons),
                "changes": [ChangeOut.model_validate(change) for change in found.diff.changes],
            }
        )
