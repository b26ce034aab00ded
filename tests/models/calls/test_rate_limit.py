"""Rate limits: no minute has more than the limit allows, at any time and from any run."""

from hypothesis import given
from hypothesis import strategies as st

from promptuary.core.settings import RateLimit
from promptuary.models.calls.rate_limit import RateLimiter, provider_rate_limiters


@given(st.integers(1, 600), st.lists(st.floats(0, 90), min_size=1, max_size=300))
def test_no_minute_has_more_calls_than_allowed(rate: int, waits: list[float]) -> None:
    limiter, now, times = RateLimiter(rate), 0.0, []
    for wait in waits:
        now += wait / 10
        times.append(now + limiter.reserve(1, now))
    for start in times:
        assert sum(start <= time < start + 60 - 1e-6 for time in times) <= rate


@given(st.integers(100, 100_000), st.lists(st.integers(1, 100), min_size=1, max_size=300))
def test_no_minute_has_more_tokens_than_allowed_but_for_one_call_at_its_edge(rate: int, amounts: list[int]) -> None:
    limiter = RateLimiter(rate)
    reserved = [(limiter.reserve(amount, 0.0), amount) for amount in amounts]
    for start, _ in reserved:
        assert sum(amount for time, amount in reserved if start <= time < start + 60 - 1e-6) <= rate * 1.001 + max(amounts)


def test_the_full_rate_is_used() -> None:
    limiter = RateLimiter(600)
    last = [limiter.reserve(1, 0.0) for _ in range(6000)][-1]
    assert last < 660 * 1.02


def test_a_call_of_more_than_a_burst_waits_for_its_credit_and_goes() -> None:
    assert 0 < RateLimiter(600).reserve(120, 0.0) < 12


def test_what_was_given_up_is_given_back() -> None:
    limiter = RateLimiter(1)
    assert limiter.reserve(1, 0.0) == 0
    assert limiter.reserve(1, 0.0) == 60
    limiter.correct(-1)
    assert limiter.reserve(1, 0.0) == 60


def test_a_suites_limits_are_its_own_and_the_processs_are_shared() -> None:
    own, shared = {"openai": RateLimit(requests_per_minute=60)}, {"openai": RateLimit(tokens_per_minute=10_001)}
    first, second = provider_rate_limiters("openai", own, shared), provider_rate_limiters("openai", own, shared)
    assert first.requests[0] is not second.requests[0]
    assert first.tokens[0] is second.tokens[0]
    assert provider_rate_limiters("mistralai", own, shared).reserve(10**9, 0.0) == 0
