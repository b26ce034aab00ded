"""Rules that map calls without a prompt to one."""

from datetime import UTC, datetime

import pytest

from promptuary.traffic.calls.model_call import ModelCall
from promptuary.traffic.settings.rule import MappingRule, find_rule

CALL = ModelCall(
    key="k",
    at=datetime(2026, 3, 2, tzinfo=UTC),
    service="checkout",
    span_name="chat gpt-4o",
    attributes={"tenant": "acme", "beta": True, "attempt": 2, "share": 0.5},
)


@pytest.mark.parametrize(
    "conditions",
    [
        {"service": "checkout"},
        {"span_name": "chat gpt-4o"},
        {"attribute": {"tenant": "acme"}},
        {"attribute": {"beta": True, "attempt": 2}},
        {"attribute": {"beta": "true", "attempt": "2", "share": "0.5"}},
        {"attribute": {"attempt": 2.0}},
        {"service": "checkout", "span_name": "chat gpt-4o", "attribute": {"tenant": "acme"}},
    ],
)
def test_a_call_that_meets_every_condition_matches(conditions: dict[str, object]) -> None:
    assert MappingRule("support.triage", **conditions).matches(CALL)  # type: ignore[arg-type]  # each is one of the rule's


@pytest.mark.parametrize(
    "conditions",
    [
        {"service": "Checkout"},
        {"span_name": "chat"},
        {"attribute": {"tenant": "acme", "region": "eu"}},
        {"attribute": {"beta": "True"}},
        {"service": "checkout", "span_name": "other"},
    ],
)
def test_a_call_that_misses_one_condition_does_not_match(conditions: dict[str, object]) -> None:
    assert not MappingRule("support.triage", **conditions).matches(CALL)  # type: ignore[arg-type]  # each is one of the rule's


def test_the_first_rule_that_matches_decides() -> None:
    rules = [MappingRule("a", service="other"), MappingRule("b", service="checkout"), MappingRule("c", service="checkout")]
    match = find_rule(rules, CALL)
    assert match is not None
    assert match.prompt == "b"
    assert find_rule(rules[:1], CALL) is None
