"""A rule: which pipelines get a key, and what the key may do."""

from dataclasses import dataclass
from datetime import datetime

from promptuary.access.keyless.claims import FOREIGN_CODE_EVENTS, PipelineClaims
from promptuary.access.role import Scope


@dataclass(frozen=True)
class PipelinePattern:
    """What a pipeline must be.

    Attributes:
        issuer: whose token it has.
        repository: its path.
        repository_id: the platform's number of it; None for whichever has the path.
        branch: the branch of its code, or the one that its pull request is to change.
        environment: the deployment environment; None for any.
        event: what started it; None for any by which only who may push starts one.
    """

    issuer: str
    repository: str
    branch: str
    repository_id: str | None = None
    environment: str | None = None
    event: str | None = None

    def fits(self, pipeline: PipelineClaims) -> bool:
        """Return whether a pipeline is one; the issuer is compared by who verified the token."""
        return (
            pipeline.repository == self.repository
            and pipeline.branch == self.branch
            and self.repository_id in (None, pipeline.repository_id)
            and self.environment in (None, pipeline.environment)
            and (pipeline.event == self.event if self.event else pipeline.event not in FOREIGN_CODE_EVENTS)
        )


@dataclass(frozen=True)
class KeylessRule:
    """A stored rule.

    Attributes:
        id: of the rule.
        project: the project's number, in which the key is created.
        pattern: what a pipeline must be.
        grants: what the key may do beyond its role.
        minutes: after how many minutes the key ends.
        created_by: the identity of who stored the rule.
        created_at: when.
    """

    id: str
    project: int
    pattern: PipelinePattern
    grants: frozenset[Scope]
    minutes: int
    created_by: str
    created_at: datetime
