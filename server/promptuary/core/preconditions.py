"""Entity tags and the conditional headers of a request, as RFC 9110 defines them (sections 8.8.3, 13.1 and 13.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.core.errors import PreconditionFailed

_ELEMENT = re.compile(r'[ \t]*(?:(W/)?("[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(,|\Z)')


@dataclass(frozen=True)
class EntityTags:
    """The value of an `If-Match` or `If-None-Match` header.

    Attributes:
        any: whether the value is `*`, which every existing resource matches.
        strong: the strong tags of the list, with their quotes.
        weak: the weak tags of the list, with their quotes and without `W/`.
    """

    any: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def match_strongly(self, tag: str | None) -> bool:
        """Return whether a resource with this strong tag matches, as for `If-Match`; None is a resource that does not exist."""
        return tag is not None and (self.any or tag in self.strong)

    def match_weakly(self, tag: str | None) -> bool:
        """Return whether a resource with this tag matches, as for `If-None-Match`; None is a resource that does not exist."""
        return tag is not None and (self.any or tag in self.strong or tag in self.weak)


def parse_entity_tags(header: str) -> EntityTags | None:
    """Return the tags of a header's value; None for one that is neither `*` nor a list of entity tags.

    Args:
        header: the value; of several header lines, the values joined by commas.
    """
    if header.strip(" \t") == "*":
        return EntityTags(any=True)
    tags: dict[bool, set[str]] = {False: set(), True: set()}
    position, is_last = 0, False
    while not is_last:
        element = _ELEMENT.match(header, position)
        if element is None:
            return None
        is_weak, tag, separator = element.groups()
        if tag is not None:
            tags[is_weak is not None].add(tag)
        position, is_last = element.end(), separator == ""
    return EntityTags(strong=frozenset(tags[False]), weak=frozenset(tags[True]))


@dataclass(frozen=True)
class Preconditions:
    """The conditions of a request: the tags of its `If-Match` and of its `If-None-Match` header; None without the header."""

    if_match: EntityTags | None = None
    if_none_match: EntityTags | None = None

    def require(self, tag: str | None, resource: str) -> None:
        """Check the conditions of a write.

        Args:
            tag: the resource's present strong tag, with its quotes; None where it does not exist.
            resource: what it is, such as `the label 'production' of 'support.triage'`.

        Raises:
            PreconditionFailed: when a condition is not met.
        """
        self.require_match(tag, resource)
        if self.if_none_match is not None and self.if_none_match.match_weakly(tag):
            raise PreconditionFailed(f"{resource} exists already; read it, then decide")

    def require_match(self, tag: str | None, resource: str) -> None:
        """Check the `If-Match` header alone, as a read does; its `If-None-Match` decides between 200 and 304.

        Raises:
            PreconditionFailed: when the resource does not exist, or has changed, or the tag is weak, which never matches.
        """
        if self.if_match is None or self.if_match.match_strongly(tag):
            return
        if tag is None:
            raise PreconditionFailed(f"{resource} does not exist, and If-Match demands that it does")
        if tag in self.if_match.weak or (self.if_match.weak and not self.if_match.strong):
            raise PreconditionFailed(
                f"If-Match has weak tags only, such as W/{min(self.if_match.weak)}, and weak tags are not accepted: send the "
                f"ETag of {resource} as it was answered, without W/"
            )
        raise PreconditionFailed(f"{resource} has changed since it was read; read it again")

    @property
    def are_stated(self) -> bool:
        """Whether the request has a condition at all."""
        return self.if_match is not None or self.if_none_match is not None


UNCONDITIONAL = Preconditions()


def parse_preconditions(if_match: Sequence[str], if_none_match: Sequence[str]) -> Preconditions:
    """Return the conditions of a write from the values of its header lines.

    Raises:
        PreconditionFailed: for a value that is not of the headers' form. It cannot match, and must not be ignored.
    """
    return Preconditions(_tags("If-Match", if_match), _tags("If-None-Match", if_none_match))


def _tags(name: str, values: Sequence[str]) -> EntityTags | None:
    if not values:
        return None
    tags = parse_entity_tags(",".join(values))
    if tags is None:
        raise PreconditionFailed(f'the header {name} is neither `*` nor a list of ETags in quotes, such as "17"')
    return tags
