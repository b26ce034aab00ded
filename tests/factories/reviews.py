"""Reviews on behalf of somebody: the services of queues, claims and decisions on one unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.claims.service import ClaimService
from promptuary.review.labels.service import DecisionService
from promptuary.review.queues.choice import DEFAULT_CHOICES, Choice
from promptuary.review.queues.queue import QueueDefinition
from promptuary.review.queues.service import QueueService, QueueState


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

    def put_queue(
        self, name: str, instructions: str = "", choices: Sequence[Choice] = DEFAULT_CHOICES, slots: int = 1, **rest: Any
    ) -> QueueState:
        """Create or change a queue."""
        definition = QueueDefinition(name=name, instructions=instructions, choices=tuple(choices), slots=slots, **rest)
        return self.queues.put_queue(definition)
