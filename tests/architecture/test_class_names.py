"""Public classes: no name stands in two modules of the server, except where one mirrors the other."""

import ast
from collections import defaultdict

from architecture.source_tree import modules

MIRRORS = {"InvalidSettings", "Conflict", "PreconditionFailed", "PromptMatch"}
"""What the client has for an error or a result of the server with the same name."""


def test_a_class_name_stands_in_one_module_of_the_server() -> None:
    owners = defaultdict(list)
    for module in modules().values():
        if module.name.startswith("promptuary."):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    owners[node.name].append(module.name)
    assert {name: names for name, names in owners.items() if len(names) > 1 and name not in MIRRORS} == {}
