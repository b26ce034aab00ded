"""Details of calls, as they are stored."""

import json
from datetime import UTC, datetime

from promptuary.traffic.calls.model_call import Attribution, ModelCall, TokenCounts
from promptuary.traffic.sample.call_details import CallDetails


def test_details_keep_zero_apart_from_unknown() -> None:
    call = ModelCall(
        key="k",
        at=datetime(2026, 3, 2, tzinfo=UTC),
        latency_ms=0.0,
        tokens=TokenCounts(input=0),
        cost=0.0,
        model="m",
        attribution=Attribution.ANCESTOR,
        user="not stored",
        span_name="not stored",
    )
    details = CallDetails.of(call)
    stored = json.loads(json.dumps(details.to_json()))
    assert stored == {
        "latency_ms": 0.0,
        "tokens": {"input": 0},
        "cost": 0.0,
        "model": "m",
        "attribution": "ancestor",
        "emitter": "unknown",
    }
    assert CallDetails.from_json(stored) == details
    assert CallDetails.from_json({}) == CallDetails()
