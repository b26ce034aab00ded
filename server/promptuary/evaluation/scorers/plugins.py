"""Scorer types of other packages, from the entry points of the group `promptuary.scorers`.

An entry point names a `ScorerType`, whose name is the entry point's, or a mapping from names to types. What is installed is
trusted as the program itself is. It is loaded once, when the types are first needed.
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


def load_plugins(built_in: Collection[str]) -> dict[str, ScorerType[Any, Any]]:
    """Load the types of every plug-in.

    Args:
        built_in: the names that are taken without them.

    Raises:
        BrokenPlugin: names the package, where one does not load, has no scorer type, or takes a name that is there already.
    """
    types: dict[str, ScorerType[Any, Any]] = {}
    packages: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_package(point), point.name)):
        for name, scorer_type in _types_of(point).items():
            if name in built_in or name in types:
                owner = f"the package '{packages[name]}'" if name in types else "Promptuary"
                raise _broken(point, f"takes the type '{name}', which {owner} has; one of the two must go")
            if not isinstance(scorer_type, ScorerType):
                problem = f"has {type(scorer_type).__name__} for '{str(name)[:NAME_LIMIT]}', where a ScorerType is needed"
                raise _broken(point, problem)
            if not isinstance(name, str) or len(name) > NAME_LIMIT or not TYPE_NAME.fullmatch(name) or name.startswith("not-"):
                raise _broken(point, f"has the type '{str(name)[:NAME_LIMIT]}', which is no name: write it as in word-count")
            types[name], packages[name] = scorer_type, _package(point)
    return types


def _types_of(point: EntryPoint) -> Mapping[Any, Any]:
    try:
        loaded = point.load()
    except Exception as error:
        raise _broken(point, f"does not load ({type(error).__name__}: {error})") from error
    return loaded if isinstance(loaded, Mapping) else {point.name: loaded}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _broken(point: EntryPoint, problem: str) -> BrokenPlugin:
    remedy = f"repair the package '{_package(point)}' or uninstall it"
    return BrokenPlugin(f"the plug-in '{point.name}' of the package '{_package(point)}' {problem}; {remedy}")
