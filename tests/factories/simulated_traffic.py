"""Simulated productions whose calls are sampled as the service samples them, with a known true mean.

Each production draws a true rate and its calls over several days. A call ends in an error, gets low feedback or neither;
feedback that comes after the wait changes nothing. Each call has one random number: it is sampled where that lies below the
probability of its stratum times the threshold of the day's reservoir, and the threshold falls to the largest ratio of an
overflowing reservoir. `make bench` simulates 2,000 productions a setting, the tests a few hundred.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.interval import Interval
from promptuary.statistics.weighted import weighted_difference, weighted_mean

FULL = 2_000
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
RANDOM, ERROR, LOW_FEEDBACK = range(3)


@dataclass(frozen=True)
class Production:
    """What calls are made and how they are sampled.

    Attributes:
        calls: about how many, over all days.
        rates: between which the true share of good calls lies.
        random: the probability of calls that are nothing special.
        error: of calls with an error; None where these are not sampled more often.
        low: of calls with low feedback in time.
        failed_as_error: the share of bad calls that end in an error.
        feedback: the share of bad calls that get low feedback; good ones get it a twentieth as often.
        late: the share of feedback that comes after the wait.
        days: over which the calls are spread, each with another number of calls.
        reservoir: the most calls of a day and a stratum.
        clusters: the number of conversations or users; 0 for independent calls.
        spread: the intraclass correlation of calls of one cluster.
        graded: whether scores are graded instead of 0 or 1.
        change: between which the shares of calls lie that a candidate loses and gains; None for a mean.
    """

    calls: int = 5_000
    rates: tuple[float, float] = (0.5, 0.95)
    random: float = 0.05
    error: float = 1.0
    low: float = 1.0
    failed_as_error: float = 0.2
    feedback: float = 0.3
    late: float = 0.0
    days: int = 1
    reservoir: int = 1_000_000
    clusters: int = 0
    spread: float = 0.2
    graded: bool = False
    change: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class SimulatedSample:
    """The sampled calls of a production.

    Attributes:
        scores: of each call.
        candidate: the scores of a candidate on the same calls; None for a mean.
        probabilities: with which each call was included.
        clusters: of each call; None where calls are independent.
        truth: the true mean, or mean difference.
    """

    scores: Floats
    candidate: Floats | None
    probabilities: Floats
    clusters: list[int] | None
    truth: float

    def interval(self) -> Interval:
        """Return the weighted interval of the mean or of the difference."""
        weights = (1 / self.probabilities).tolist()
        if self.candidate is None:
            return weighted_mean(self.scores.tolist(), weights, clusters=self.clusters)
        return weighted_difference(self.candidate.tolist(), self.scores.tolist(), weights, clusters=self.clusters)


def simulate(production: Production, rng: np.random.Generator) -> SimulatedSample:
    """Draw a production, its calls and its sample."""
    shares = rng.dirichlet(np.full(production.days, 3.0))
    day = np.sort(rng.choice(production.days, production.calls, p=shares))
    clusters = _clusters(production, rng)
    rate = rng.uniform(*production.rates)
    chances = np.full(production.calls, rate)
    if clusters is not None:
        total = 1 / production.spread - 1
        chances = rng.beta(rate * total, (1 - rate) * total, production.clusters)[clusters]
    good = rng.random(production.calls) < chances
    scores = good.astype(float)
    truth = rate
    if production.graded:
        scores = np.where(good, rng.beta(8, 2, production.calls), rng.beta(2, 4, production.calls))
        truth = rate * 0.8 + (1 - rate) / 3
    candidate = None
    if production.change is not None:
        lost, gained = rng.uniform(*production.change), rng.uniform(*production.change)
        luck = rng.random(production.calls)
        flipped = np.where(good, luck < lost, luck < gained)
        candidate = np.where(flipped, 1 - scores, scores)
        truth = (1 - rate) * gained - rate * lost
    stratum = _strata(production, good, rng)
    random = rng.random(production.calls)
    chosen, probabilities = _sample(production, random, day, stratum)
    if not chosen.any():
        return simulate(production, rng)
    return SimulatedSample(
        scores[chosen],
        None if candidate is None else candidate[chosen],
        probabilities[chosen],
        None if clusters is None else clusters[chosen].tolist(),
        truth,
    )


def coverage(production: Production, productions: int = FULL, seed: int = 13) -> float:
    """Return the share of weighted intervals that contain the true mean."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(productions):
        sample = simulate(production, rng)
        interval = sample.interval()
        hits += interval.low - 1e-12 <= sample.truth <= interval.high + 1e-12
    return hits / productions


def _clusters(production: Production, rng: np.random.Generator) -> Codes | None:
    """Return the cluster of each call; some clusters have many more calls than others."""
    if not production.clusters:
        return None
    shares = rng.dirichlet(np.full(production.clusters, 2.0))
    return rng.choice(production.clusters, production.calls, p=shares)


def _strata(production: Production, good: NDArray[np.bool_], rng: np.random.Generator) -> Codes:
    """Return the stratum of each call as it is when the wait ends."""
    is_error = ~good & (rng.random(good.size) < production.failed_as_error)
    low = rng.random(good.size) < np.where(good, production.feedback / 20, production.feedback)
    in_time = low & (rng.random(good.size) >= production.late)
    return np.where(is_error, ERROR, np.where(in_time, LOW_FEEDBACK, RANDOM))


def _sample(production: Production, random: Floats, day: Codes, stratum: Codes) -> tuple[NDArray[np.bool_], Floats]:
    """Return whether each call is in the sample, and the probability of it."""
    probability = np.array([production.random, production.error, production.low])[stratum]
    ratio = random / probability
    thresholds = np.ones((production.days, 3))
    for each_day in range(production.days):
        for each in (RANDOM, ERROR, LOW_FEEDBACK):
            ratios = np.sort(ratio[(day == each_day) & (stratum == each) & (ratio < 1)])
            if ratios.size > production.reservoir:
                thresholds[each_day, each] = ratios[production.reservoir]
    inclusion = probability * thresholds[day, stratum]
    return random < inclusion, inclusion


_PLAIN = Production()
_CHAT = replace(_PLAIN, clusters=600)
SETTINGS: dict[str, Production] = {
    "no call is special": replace(_PLAIN, failed_as_error=0.0, feedback=0.0),
    "a small sample": replace(_PLAIN, calls=800),
    "errors sampled more": replace(_PLAIN, feedback=0.0),
    "errors and low feedback sampled more": _PLAIN,
    "half of the feedback late": replace(_PLAIN, late=0.5),
    "all feedback late": replace(_PLAIN, late=1.0),
    "reservoirs overflow on 7 days": replace(_PLAIN, calls=20_000, days=7, reservoir=30),
    "rare failures": replace(_PLAIN, rates=(0.95, 0.995)),
    "rare failures, a small sample": replace(_PLAIN, calls=1_000, rates=(0.95, 0.995)),
    "rare failures, reservoirs overflow": replace(_PLAIN, calls=20_000, rates=(0.97, 0.995), days=7, reservoir=30),
    "rare successes": replace(_PLAIN, rates=(0.005, 0.05)),
    "600 conversations": _CHAT,
    "600 conversations, rare failures": replace(_CHAT, rates=(0.95, 0.99), spread=0.05),
    "40 users": replace(_PLAIN, clusters=40),
    "15 users": replace(_PLAIN, clusters=15, calls=10_000),
    "40 users, reservoirs overflow": replace(_PLAIN, calls=20_000, days=7, reservoir=30, clusters=40),
    "graded": replace(_PLAIN, graded=True),
    "graded, 40 users, half of the feedback late": replace(_PLAIN, graded=True, clusters=40, late=0.5),
    "paired": replace(_PLAIN, change=(0.05, 0.3)),
    "paired, a small sample": replace(_PLAIN, calls=1_000, change=(0.05, 0.3)),
    "paired, rare changes": replace(_PLAIN, change=(0.002, 0.03)),
    "paired, reservoirs overflow": replace(_PLAIN, calls=20_000, days=7, reservoir=30, change=(0.05, 0.3)),
    "paired, 600 conversations, half of the feedback late": replace(_CHAT, change=(0.05, 0.3), late=0.5),
    "paired, 40 users": replace(_PLAIN, clusters=40, change=(0.05, 0.3)),
}
