"""Inputs of production beside those of a dataset."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from promptuary.evaluation.case import Case
from promptuary.traffic.calls.model_call import CallContents, CallStatus
from promptuary.traffic.online.drift import input_drift
from promptuary.traffic.replay.sampled_call import SampledCall
from promptuary.traffic.sample.call_details import CallDetails

AT = datetime(2026, 3, 2, tzinfo=UTC)


def call(name: str, probability: float = 1.0, **variables: Any) -> SampledCall:
    contents = CallContents(variables=variables)
    return SampledCall(name, 1, "", AT, CallStatus.OK, "random", probability, None, CallDetails(), contents)


def letters(texts: Sequence[str]) -> Any:
    """Embed texts by whether they have each of three letters."""
    rows = np.array([[letter in text for letter in "abc"] for text in texts], dtype=float) + 1e-9
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_lengths_are_those_of_all_calls_by_weight() -> None:
    calls = [call("short", 0.1, q="a"), call("long", 1.0, q="a" * 100), call("new", 1.0, q="aa", tone="kind")]
    drift = input_drift(calls, [Case("c1", {"q": "abc"}), Case("c2", {"q": "a"})], letters)
    question, tone = drift.variables
    assert question.traffic == {"p10": 1, "p50": 1, "p90": 2, "largest": 100}
    assert question.dataset == {"p10": 1, "p50": 1, "p90": 3, "largest": 3}
    assert (question.traffic_share, question.dataset_share) == (1, 1)
    assert tone.traffic_share == pytest.approx(1 / 12)
    assert (tone.dataset_share, tone.dataset) == (0, None)


def test_the_nearest_known_case_and_the_farthest_calls_are_named() -> None:
    drift = input_drift([call("known", 1.0, q="a"), call("unknown", 1.0, q="c")], [Case("c1", {"q": "a"})], letters)
    assert drift.nearest["p90"] == pytest.approx(1)
    assert drift.nearest["smallest"] == pytest.approx(0, abs=1e-6)
    assert (drift.farthest[0].observation, drift.farthest[0].case) == ("unknown", "c1")
    assert drift.nearest_in_dataset is None
