"""Two versions of a prompt compared, each named by its number or by a label."""

from dataclasses import dataclass

from promptuary.prompt.diff.contents import ContentDiff, compare_contents
from promptuary.prompt.digest import content_from_json
from promptuary.registry.service import Registry
from promptuary.registry.store import Version


@dataclass(frozen=True)
class VersionComparison:
    """What changed from one version to another, and which of it breaks a program that works with the first."""

    before: Version
    after: Version
    diff: ContentDiff


def compare_versions(registry: Registry, name: str, before: str, after: str) -> VersionComparison:
    """Compare two versions. A number is a version; anything else is a label, `latest` too, and of a split one the first arm.

    Raises:
        NotFound: saying whether the prompt, the label or the version is unknown, and what there is.
        InvalidPrompt: for a version in a format that is off here.
    """
    old, new = (_version(registry, name, selector) for selector in (before, after))
    before_, after_ = content_from_json(old.content), content_from_json(new.content)
    return VersionComparison(old, new, compare_contents(before_, after_, jinja2=registry.unit.settings.jinja2))


def _version(registry: Registry, name: str, selector: str) -> Version:
    if selector.isascii() and selector.isdecimal():
        return registry.lookup(name, version=int(selector)).version
    return registry.lookup(name, label=selector).version
