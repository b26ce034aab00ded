"""Many senders at once: the same feedback counts once, and no value is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from promptuary.traffic.feedback.service import FeedbackService, NewFeedback

SENDERS = 8


def test_feedback_that_comes_twice_at_once_counts_once(
    database: Any, prompt: str, unit_as: Callable[..., Any], counts: Callable[[], Any]
) -> None:
    def send(sender: int) -> None:
        for number in range(10):
            with unit_as("service") as unit:
                same = NewFeedback(prompt=prompt, version=1, digest=None, value=1, id=f"same-{number}")
                own = NewFeedback(prompt=prompt, version=2, digest=None, value=0, id=f"own-{sender}-{number}")
                FeedbackService(unit).add_list({0: same, 1: own})

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(SENDERS)))
    assert {key[0]: value for key, value in counts().items()} == {1: (10, 10.0, 0), 2: (80, 0.0, 80)}
