"""The comparison of two versions of a prompt, each selected by a number or a label."""

import re
from dataclasses import dataclass

from promptuary.prompt.diff.contents import ContentDiff, compare_contents
from promptuary.prompt.digest import content_from_json
from promptuary.registry.service import Registry
from promptuary.registry.version_store import Version

_PLAIN_DIGITS = re.compile(r"0|[1-9][0-9]*", re.ASCII)


@dataclass(frozen=True)
class VersionComparison:
    """The changes from one version to another, and which of them break a program that works with the first."""

    before: Version
    after: Version
    diff: ContentDiff


def compare_versions(registry: Registry, name: str, before: str, after: str) -> VersionComparison:
    """Compare two versions.

    A number in plain digits selects a version; anything else is a label, also `latest` and `01`.
    A split label means its first arm.

    Raises:
        NotFound: naming the unknown prompt, label or version, and the known ones.
        InvalidPrompt: for a version in a format that the settings do not allow.
    """
    old, new = (_select_version(registry, name, selector) for selector in (before, after))
    old_content, new_content = content_from_json(old.content), content_from_json(new.content)
    return VersionComparison(old, new, compare_contents(old_content, new_content, jinja2=registry.unit.settings.jinja2))


def _select_version(registry: Registry, name: str, selector: str) -> Version:
    if _PLAIN_DIGITS.fullmatch(selector):
        return registry.lookup(name, version=int(selector)).version
    return registry.lookup(name, label=selector).version
