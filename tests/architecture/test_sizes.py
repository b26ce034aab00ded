"""Files, folders and functions stay small enough to read."""

import ast
from collections import Counter
from collections.abc import Iterator

from architecture.source_tree import Module, modules
from paths import ROOT

MOST_LINES_OF_A_FILE = 500
MOST_MODULES_OF_A_FOLDER = 15
SEQUENCES = ("server/promptuary/migrations/versions",)
"""Folders with a numbered file a step: released migrations never change, so none is merged with another."""
MOST_PARAMETERS = 6
FRAMEWORK_DECORATORS = ("router.", "app.command", "app.callback")
"""The framework calls these functions with a parameter for each option of a command, or each field of a request."""
PUBLIC_CLIENT = ("promptuary.client.", "promptuary.cli.python.")


def test_no_file_is_longer_than_500_lines() -> None:
    lines = {module.name: len(module.file.read_text().splitlines()) for module in modules().values()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FILE} == {}


def test_no_folder_has_more_than_15_modules() -> None:
    counts = Counter(
        str(module.file.parent.relative_to(ROOT)) for module in modules().values() if module.file.name != "__init__.py"
    )
    assert {
        folder: count for folder, count in counts.items() if count > MOST_MODULES_OF_A_FOLDER and folder not in SEQUENCES
    } == {}


def test_no_function_has_more_than_six_parameters() -> None:
    too_many = {
        f"{module.name}:{function.name}"
        for module in modules().values()
        for function in _functions(module)
        if _parameters(module, function) > MOST_PARAMETERS
    }
    assert too_many == set()


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(decorator.startswith(FRAMEWORK_DECORATORS) for decorator in decorators) and not _is_command(node):
                yield node


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a parameter is an option or argument of the command line."""
    annotations = [argument.annotation for argument in (*function.args.args, *function.args.kwonlyargs)]
    return any("typer." in ast.unparse(annotation) for annotation in annotations if annotation)


def _parameters(module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the parameters that a caller passes; keyword-only ones of the public client and of `evaluate` are free."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if names[:1] in (["self"], ["cls"]):
        names.pop(0)
    if not module.name.startswith(PUBLIC_CLIENT):
        names += [argument.arg for argument in arguments.kwonlyargs]
    return len(names)
