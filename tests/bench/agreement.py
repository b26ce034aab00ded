"""The figures of agreement on each type of label, over 10,000 items of two and three reviewers.

python -m bench.agreement [ITEMS]
"""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from promptuary.review.agreement.figures import compute_label_agreement
from promptuary.review.agreement.label import LabelDefinition
from promptuary.review.agreement.labelled_item import LabelledItem, ReviewerLabels
from promptuary.review.queues.label_schema import FieldType

ITEMS, REVIEWERS, GOLD = 10_000, 6, 10
TAGS = [f"tag-{number}" for number in range(12)]
LABELS = {
    "a choice of 3": LabelDefinition("decision", "Decision", FieldType.CHOICE, ("approve", "reject", "unsure")),
    "a scale of 100 points": LabelDefinition("score", "Score", FieldType.ORDINAL, tuple(range(1, 101))),
    "a number": LabelDefinition("number", "Number", FieldType.NUMBER),
    "several of 12 options": LabelDefinition("options", "Options", FieldType.CHOICES, tuple(TAGS)),
    "free tags": LabelDefinition("tags", "Tags", FieldType.TAGS),
    "spans of 200 characters": LabelDefinition("spans", "Spans", FieldType.SPANS),
}


@dataclass(frozen=True)
class Delay:
    """The seconds that the figures of one label took."""

    what: str
    seconds: float
    processor: float


def labelled_items(count: int) -> list[LabelledItem]:
    """Draw items that reviewers label alike, but for noise; every tenth has known labels."""
    rng, at, decision = random.Random(5), datetime(2026, 1, 1, tzinfo=UTC), 0
    items = []
    for number in range(count):
        score, chosen = rng.randint(1, 100), set(rng.sample(TAGS, rng.randint(0, 3)))
        reviews = []
        for reviewer in rng.sample(range(REVIEWERS), 2 if number % 3 else 3):
            decision += 1
            choice = rng.choice(["approve"] * 8 + ["reject", "unsure"])
            labels = _labels(rng, score, chosen)
            reviews.append(ReviewerLabels(decision, f"reviewer-{reviewer}", choice, labels, "", 1, at))
        gold = {} if number % GOLD else {"decision": "approve", "score": score}
        items.append(LabelledItem(f"item-{number}", f"item-{number}", 0, tuple(reviews), gold, 200))
    return items


def _labels(rng: random.Random, score: int, chosen: set[str]) -> dict[str, object]:
    options = chosen ^ {rng.choice(TAGS)} if rng.random() < 0.4 else chosen
    own = {f"own-{rng.randint(0, 400)}"} if rng.random() < 0.05 else set()
    near, start = min(100, max(1, score + rng.randint(-8, 8))), rng.randint(0, 100)
    spans = [{"start": start, "end": start + rng.randint(1, 50), "label": rng.choice("AB")}] if rng.random() < 0.6 else []
    return {
        "score": near,
        "number": near + rng.random(),
        "options": sorted(options),
        "tags": sorted(options | own),
        "spans": spans,
    }


def measured(items: int = ITEMS) -> Iterator[Delay]:
    """Compute all figures of each label: coefficients with intervals, between each two reviewers, and against gold."""
    labelled = labelled_items(items)
    for what, label in LABELS.items():
        started, processor = time.perf_counter(), time.process_time()
        compute_label_agreement(label, labelled)
        yield Delay(what, time.perf_counter() - started, time.process_time() - processor)


def main() -> None:
    """Print the seconds of each label."""
    for delay in measured(*map(int, sys.argv[1:])):
        print(f"{delay.what}: {delay.seconds:.2f} s, of the processor {delay.processor:.2f} s", flush=True)


if __name__ == "__main__":
    main()
