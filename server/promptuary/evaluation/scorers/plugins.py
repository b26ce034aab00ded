"""Types of scorers from other packages, found by the entry points of the group `promptuary.scorers`.

An entry point gives a `Kind`, whose type is the entry point's name, or a mapping from types to kinds. What is installed is
trusted as the program itself is; it is loaded once, when the types are first asked for.
"""

import re
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from promptuary.core.errors import BrokenPlugin
from promptuary.evaluation.scorers.scorer_type import ScorerType

GROUP = "promptuary.scorers"
TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NAME_LIMIT = 60


def load_plugins(known: Collection[str]) -> dict[str, ScorerType]:
    """Load every plug-in.

    Args:
        known: the types that are there without them.

    Raises:
        BrokenPlugin: naming the package, where one does not load, gives no kind, or takes a type that is there already.
    """
    found: dict[str, ScorerType] = {}
    givers: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_package(point), point.name)):
        for name, kind in _kinds(point).items():
            if name in known or name in found:
                giver = f"the package '{givers[name]}'" if name in found else "Promptuary"
                raise _broken(point, f"takes the type '{name}', which {giver} has; one of the two must go")
            if not isinstance(kind, ScorerType):
                raise _broken(point, f"gives {type(kind).__name__} for '{str(name)[:NAME_LIMIT]}', where a Kind is needed")
            if not isinstance(name, str) or len(name) > NAME_LIMIT or not TYPE_NAME.fullmatch(name) or name.startswith("not-"):
                raise _broken(point, f"gives the type '{str(name)[:NAME_LIMIT]}', which is no name: write it as in word-count")
            found[name], givers[name] = kind, _package(point)
    return found


def _kinds(point: EntryPoint) -> Mapping[Any, Any]:
    try:
        given = point.load()
    except Exception as error:
        raise _broken(point, f"does not load ({type(error).__name__}: {error})") from error
    return given if isinstance(given, Mapping) else {point.name: given}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _broken(point: EntryPoint, words: str) -> BrokenPlugin:
    remedy = f"mend the package '{_package(point)}' or uninstall it"
    return BrokenPlugin(f"the plug-in '{point.name}' of the package '{_package(point)}' {words}; {remedy}")
