"""The shares of a split's versions."""

from collections.abc import Mapping

from promptuary.prompt.split import BUCKETS, Split


def bucket_shares(split: Split) -> Mapping[int, float]:
    """Return each version's share of the buckets, from 0 to 1."""
    return {arm.version: sum(end - start for start, end in arm.buckets) / BUCKETS for arm in split.arms}
