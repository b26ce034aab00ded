"""Ids that a sender chose, as they are stored: one that contains personal data is hashed, and still names the same thing."""

import re
from dataclasses import replace

from promptuary.traffic.calls.model_call import Evaluation, ModelCall, TrafficReading
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.redaction.text import redact_text

_RANDOM = re.compile(r"(?:hashed-[0-9a-f]{64})|[0-9a-f]{32}|[0-9a-f]{48}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Random ids, of which some have the digits of a card number by chance: UUIDs, the ids of traces and spans, and hashes."""


def stored_id(sent: str, key: bytes) -> str:
    """Return an id as it is stored: as it was sent, or its hash where it contains personal data.

    The same id has the same hash in a project, so that reports, repeated reports and feedback find each other. Patterns alone
    decide: a redaction of the operator's own that fails once would give one call two ids.

    Args:
        sent: by the application.
        key: the project's secret, as for the ids of end users.
    """
    if _RANDOM.fullmatch(sent) or not redact_text(sent)[1]:
        return sent
    return f"hashed-{hash_user(sent, key)}"


def with_stored_ids(reading: TrafficReading, key: bytes) -> TrafficReading:
    """Return a reading whose calls and evaluations have the ids under which they are stored."""
    return replace(
        reading,
        calls=[_call(call, key) for call in reading.calls],
        evaluations=[_evaluation(evaluation, key) for evaluation in reading.evaluations],
    )


def _call(call: ModelCall, key: bytes) -> ModelCall:
    stored_key, response_id = stored_id(call.key, key), call.response_id and stored_id(call.response_id, key)
    if (stored_key, response_id) == (call.key, call.response_id):
        return call
    return replace(call, key=stored_key, response_id=response_id)


def _evaluation(evaluation: Evaluation, key: bytes) -> Evaluation:
    return replace(evaluation, response_id=evaluation.response_id and stored_id(evaluation.response_id, key))
