"""A call of the sample as it is replayed: its variables and answer, and how many calls it stands for. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.traffic.calls.model_call import CallContents, CallStatus
from promptuary.traffic.sample.call_details import CallDetails

_CLUSTER_LIMIT = 150


@dataclass(frozen=True)
class CallFeedback:
    """Feedback on a call, as its sender named it."""

    name: str
    value: float | None
    label: str | None
    comment: str
    correction: str | None


@dataclass(frozen=True)
class SampledCall:
    """A settled call whose contents are in the sample.

    Attributes:
        id: of the observation.
        version: of the prompt.
        label: by which the application looked it up; empty where that is not known.
        at: when the call began.
        status: how it ended.
        stratum: why it is in the sample.
        probability: its inclusion probability, in (0, 1].
        user_hash: of the end user.
        details: values that are no contents.
        contents: None where nothing of them may be stored.
        feedback: in the order in which it came.
    """

    id: str
    version: int
    label: str
    at: datetime
    status: CallStatus
    stratum: str
    probability: float
    user_hash: str | None
    details: CallDetails
    contents: CallContents | None
    feedback: Sequence[CallFeedback] = ()

    @property
    def weight(self) -> float:
        """How many calls it stands for."""
        return 1 / self.probability

    @property
    def cluster(self) -> str | None:
        """What it shares with other calls: its end user, whose conversations are alike, else its conversation."""
        if self.user_hash is not None:
            return user_cluster(self.user_hash)
        conversation = self.details.conversation
        if not conversation:
            return None
        if len(conversation) > _CLUSTER_LIMIT or not conversation.isprintable():
            conversation = hashlib.sha256(conversation.encode("utf-8", "replace")).hexdigest()[:32]
        return f"conversation:{conversation}"


def user_cluster(user_hash: str) -> str:
    """Return the cluster of the calls of an end user, by the hash of their id."""
    return f"user:{user_hash}"[:_CLUSTER_LIMIT]
