"""The items on which reviewers disagree, as lines: each by its case, and what was settled."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def disagreement_lines(agreement: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each finished item, with what was settled, and one for those that lack decisions.

    Args:
        agreement: the queue's, as the API answers it.
        listed: the finished items; none where the caller may not see them all.
    """
    if agreement["finished_only"]:
        yield from (f"disagreement: {source}" for source in agreement["disagreements"])
        return
    for item in listed:
        settled = {each["label"]: each for each in item["adjudications"]}
        words = [f"{name} settled as {each['value']} by {each['adjudicator']}" for name, each in settled.items()]
        words += [f"{name} open" for name in item["differing"] if name not in settled]
        case = item["payload"].get("case")
        name = f"{case} ({item['source']})" if isinstance(case, str) and case else item["source"]
        yield f"disagreement: {name}: {', '.join(words)}"
    unfinished = len(agreement["disagreements"]) - len(listed)
    if unfinished > 0:
        yield f"disagreement: {unfinished} more items, which lack decisions"
