"""Reviews on behalf of somebody: the services of queues, claims and decisions on one unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.claims.service import ClaimService
from promptuary.review.claims.submission import Submission, SubmissionService
from promptuary.review.labels.decision import Decision
from promptuary.review.labels.service import DecisionService
from promptuary.review.queues.choice import DEFAULT_CHOICES, Choice
from promptuary.review.queues.queue import QueueDefinition
from promptuary.review.queues.service import QueueService, QueueState

SEEN_AT = datetime(2026, 3, 2, tzinfo=UTC)
SEEN = {"seen_at": "2026-03-02T00:00:00Z"}
"""What a submission contains for an item whose output has been in view."""


@dataclass(frozen=True)
class Reviews:
    """The services of reviews, for one caller."""

    unit: UnitOfWork

    @property
    def queues(self) -> QueueService:
        return QueueService(self.unit)

    @property
    def claims(self) -> ClaimService:
        return ClaimService(self.unit)

    @property
    def decisions(self) -> DecisionService:
        return DecisionService(self.unit)

    @property
    def submissions(self) -> SubmissionService:
        return SubmissionService(self.unit)

    def submit(self, claim: str, nonce: str, decision: str | None = "approve", comment: str = "", **rest: Any) -> Decision:
        """Submit the decision on an item that has been seen."""
        submission = Submission(nonce=nonce, decision=decision, comment=comment, **{"seen_at": SEEN_AT, **rest})
        return self.submissions.submit(claim, submission).decision

    def put_queue(
        self, name: str, instructions: str = "", choices: Sequence[Choice] = DEFAULT_CHOICES, slots: int = 1, **rest: Any
    ) -> QueueState:
        """Create or change a queue."""
        definition = QueueDefinition(name=name, instructions=instructions, choices=tuple(choices), slots=slots, **rest)
        return self.queues.put_queue(definition)
