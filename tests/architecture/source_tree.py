"""The modules of both packages and what each imports, read from their source with `ast`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paths import ROOT

ROOTS = (ROOT / "server", ROOT / "ui")


@dataclass(frozen=True)
class Import:
    """One import of a module by another; `deferred` is True under `if TYPE_CHECKING:` and inside a function."""

    importer: str
    imported: str
    line: int
    deferred: bool


@dataclass(frozen=True)
class Module:
    """A module's dotted name, its file, and its syntax tree."""

    name: str
    file: Path
    tree: ast.Module


@cache
def modules() -> dict[str, Module]:
    """Return every module of the packages by its dotted name."""
    by_name = {}
    for root in ROOTS:
        for file in sorted(root.rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            by_name[name] = Module(name, file, ast.parse(file.read_text(), str(file)))
    return by_name


@cache
def imports() -> tuple[Import, ...]:
    """Return every import of one module of the packages by another."""
    return tuple(entry for module in modules().values() for entry in _imports_of(module))


def _imports_of(module: Module) -> Iterator[Import]:
    for node, deferred in _import_nodes(module.tree, deferred=False):
        for name in _imported_names(node):
            imported = name if name in modules() else name.rpartition(".")[0]
            if imported in modules() and imported != module.name:
                yield Import(module.name, imported, node.lineno, deferred)


def _import_nodes(node: ast.AST, *, deferred: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, deferred
        else:
            yield from _import_nodes(child, deferred=deferred or _defers_imports(child))


def _defers_imports(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return True
    return isinstance(node, ast.If) and ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING"


def _imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "imports are absolute"
    return [f"{node.module}.{alias.name}" for alias in node.names]


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other, each sorted (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in index:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in stack:
                lowest[node] = min(lowest[node], index[target])
        if lowest[node] == index[node]:
            start = stack.index(node)
            group = sorted(stack[start:])
            del stack[start:]
            if len(group) > 1:
                groups.append(group)

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return groups
