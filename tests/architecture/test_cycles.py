"""No module imports itself through others, not even by an import that is deferred to a function or to the type checker."""

from collections import defaultdict

import pytest

from architecture.source_tree import cycles, imports, modules

PACKAGES = sorted(name for name, module in modules().items() if module.file.name == "__init__.py")


def test_no_deferred_import_hides_a_cycle_of_modules() -> None:
    edges = defaultdict(set)
    for entry in imports():
        edges[entry.importer].add(entry.imported)
    assert cycles(edges) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_children_of_a_package_import_each_other_in_one_direction(package: str) -> None:
    edges = defaultdict(set)
    for entry in imports():
        children = [_child(package, name) for name in (entry.importer, entry.imported)]
        if None not in children and children[0] != children[1]:
            edges[str(children[0])].add(str(children[1]))
    assert cycles(edges) == []


def _child(package: str, module: str) -> str | None:
    """Return the module or sub-package directly inside a package that contains a module."""
    prefix = f"{package}."
    return prefix + module.removeprefix(prefix).partition(".")[0] if module.startswith(prefix) else None


@pytest.mark.parametrize(
    ("edges", "groups"),
    [
        ({}, []),
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}}, [["a", "b", "c"], ["d", "e"]]),
    ],
)
def test_cycles_are_found(edges: dict[str, set[str]], groups: list[list[str]]) -> None:
    assert cycles(edges) == groups
