"""A judge's mean corrected by labels: the coverage and width of its interval, and the predicted number of labels.

    python -m bench.corrections [SUITES]

Prints a row of a Markdown table for each setting of `factories.simulated_labels`, over 2,000 simulated suites each.
"""

import sys
from collections.abc import Iterator

from factories.simulated_labels import FULL, ROOMY, SETTINGS, CoverageFigures, coverage_figures, halving_ratio

HALVED = 200
"""The simulated suites a setting of a predicted number of labels."""


def corrected(suites: int = FULL) -> Iterator[tuple[str, CoverageFigures]]:
    """Simulate suites in each setting; yield the coverage and the mean widths."""
    for name, setting in SETTINGS.items():
        yield name, coverage_figures(setting, suites)


def halved(suites: int = HALVED) -> Iterator[tuple[str, float | None]]:
    """Yield the median ratio of the predicted number of labels that halve an interval to the number that does."""
    for name, setting in ROOMY.items():
        yield name, halving_ratio(setting, suites)


def main() -> None:
    """Print each figure as soon as it is computed."""
    suites = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    print("| | covers | width | without the judge |\n|---|---:|---:|---:|")
    for name, figures in corrected(suites):
        print(f"| {name} | {figures.share:.3f} | {figures.width:.3f} | {figures.labels_width:.3f} |", flush=True)
    print("\n| | predicted labels over needed ones, median |\n|---|---:|")
    for name, ratio in halved(min(suites, HALVED)):
        print(f"| {name} | {'' if ratio is None else f'{ratio:.2f}'} |", flush=True)


if __name__ == "__main__":
    main()
