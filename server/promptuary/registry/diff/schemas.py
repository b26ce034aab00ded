"""The wire models of a diff."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from promptuary.core.wire import ResponseModel
from promptuary.registry.diff.versions import VersionComparison
from promptuary.registry.version_store import Version


class SideOut(ResponseModel):
    """One of the two versions."""

    version: int
    digest: str

    @classmethod
    def of(cls, version: Version) -> Self:
        """Build the wire model from the domain value."""
        return cls(version=version.number, digest=version.digest)


class ChangeOut(ResponseModel):
    """One change: its part, its dotted path, and why it breaks a program that works with the old version.

    `before` is null for an addition, `after` for a removal, `why` for a change that breaks nothing. `diff` is a unified line
    diff of two texts.
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
    """The changes from one version to another, in the order of a version's parts; `reasons` has a sentence per break."""

    name: str
    before: Annotated[SideOut, Field(alias="from")]
    after: Annotated[SideOut, Field(alias="to")]
    breaking: bool
    reasons: list[str]
    changes: list[ChangeOut]

    @classmethod
    def of(cls, comparison: VersionComparison) -> Self:
        """Build the wire model from the domain value."""
        return cls.model_validate(
            {
                "name": comparison.after.prompt,
                "from": SideOut.of(comparison.before),
                "to": SideOut.of(comparison.after),
                "breaking": comparison.diff.breaking,
                "reasons": list(comparison.diff.reasons),
                "changes": [ChangeOut.model_validate(change) for change in comparison.diff.changes],
            }
        )
