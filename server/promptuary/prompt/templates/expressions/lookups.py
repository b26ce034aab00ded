"""Names, items and slices: how an expression reads values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression, operands
from promptuary.prompt.templates.expressions.literals import Constant
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import UNDEFINED, TypeMismatch, Undefined, describe_type, may_lack


@dataclass(frozen=True)
class NameLookup(Expression):
    """A variable of the prompt, or a variable of a loop."""

    name: str

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the value of the innermost scope that has the name, else an undefined one."""
        budget.add_steps()
        for scope in reversed(stack):
            if isinstance(scope, Mapping) and self.name in scope:
                return scope[self.name]
        if any(may_lack(scope, self.name) for scope in stack):
            return UNDEFINED
        return budget.missing(f"'{self.name}' has no value", self.name)


@dataclass(frozen=True)
class ItemLookup(Expression):
    """A member of an object, an item of a list or a character of a text."""

    of: Expression
    key: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the member of that name or the item at that position, else an undefined value."""
        budget.add_steps()
        whole, key = self.of.value(stack, budget), self.key.value(stack, budget)
        if isinstance(whole, Undefined):
            raise TypeMismatch("it has no value, so nothing can be looked up in it")
        if isinstance(whole, Mapping):
            if isinstance(key, str) and key in whole:
                return whole[key]
        elif isinstance(whole, list | tuple | str) and isinstance(key, int) and -len(whole) <= key < len(whole):
            return whole[key]
        if may_lack(whole, key):
            return UNDEFINED
        return budget.missing(f"{_source(self.of)} is {describe_type(whole)} without {_key(self.key)}", first_name(self.of))


@dataclass(frozen=True)
class Slice(Expression):
    """A part of a list or a text, from one position up to another."""

    of: Expression
    start: Expression | None
    stop: Expression | None

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the part, as Python slices."""
        budget.add_steps()
        whole = self.of.value(stack, budget)
        start, stop = (None if bound is None else bound.value(stack, budget) for bound in (self.start, self.stop))
        if not isinstance(whole, list | tuple | str):
            raise TypeMismatch("only a list or a text can be sliced")
        if not all(bound is None or isinstance(bound, int) for bound in (start, stop)):
            raise TypeMismatch("the bounds of a slice must be integers")
        budget.add_steps(len(whole) // 16)
        return whole[start:stop]


def _source(expression: Expression) -> str:
    """Return a lookup as its author wrote it, for a message."""
    path = lookup_path(expression)
    return f"'{'.'.join(path)}'" if path else "the value"


def _key(expression: Expression) -> str:
    """Return the constant key of a lookup, for a message; the value of any other key is not shown."""
    return f"'{expression.constant}'" if isinstance(expression, Constant) else "that item"


def lookup_path(expression: Expression) -> tuple[str, ...] | None:
    """Return the names and positions of a lookup such as `a.b[0]`; None where the expression is anything else."""
    if isinstance(expression, NameLookup):
        return (expression.name,)
    if isinstance(expression, ItemLookup) and isinstance(expression.key, Constant):
        path = lookup_path(expression.of)
        return None if path is None else (*path, str(expression.key.constant))
    return None


def first_name(expression: Expression) -> str | None:
    """Return the variable with which an expression begins, for the path of an error; None if it has none."""
    if isinstance(expression, NameLookup):
        return expression.name
    return next((name for part in operands(expression) if (name := first_name(part))), None)
