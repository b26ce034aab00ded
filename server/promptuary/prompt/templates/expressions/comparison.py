"""Comparisons of numbers and texts, and `in`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import TypeMismatch, Undefined, is_number

ORDER_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


@dataclass(frozen=True)
class CompareChain(Expression):
    """A chain of comparisons, as `0 < n <= 3`."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return whether every comparison is true; the first that is false ends the evaluation."""
        budget.add_steps()
        left = self.first.value(stack, budget)
        for operator, expression in self.rest:
            right = expression.value(stack, budget)
            if not _compare(operator, left, right, budget):
                return False
            left = right
        return True


def _compare(operator: str, left: Any, right: Any, budget: RenderBudget) -> bool:
    if operator in ("in", "not in"):
        return _contains(right, left, budget) == (operator == "in")
    if isinstance(left, str) and isinstance(right, str):
        budget.add_steps(min(len(left), len(right)) // 64)
    elif operator in ("==", "!="):
        for value in (left, right):
            if isinstance(value, list | tuple | Mapping):
                raise TypeMismatch(f"'{operator}' compares texts, numbers, true, false and none, not lists or objects")
    elif not is_number(left) or not is_number(right):
        raise TypeMismatch(f"'{operator}' compares two numbers or two texts")
    if operator in ORDER_OPERATORS:
        return bool(ORDER_OPERATORS[operator](left, right))
    return bool(left == right) == (operator == "==")


def _contains(whole: Any, item: Any, budget: RenderBudget) -> bool:
    if isinstance(whole, Undefined):
        return False
    if isinstance(item, list | tuple | Mapping):
        raise TypeMismatch("'in' looks for a text or a number, not for a list or an object")
    if isinstance(whole, str):
        if not isinstance(item, str):
            raise TypeMismatch("'in' looks for a text in a text")
        budget.add_steps((len(item) + len(whole)) // 16)
        return item in whole
    if isinstance(whole, Mapping):
        return item in whole
    if isinstance(whole, list | tuple):
        budget.add_steps(len(whole) * (1 + (len(item) // 1024 if isinstance(item, str) else 0)))
        return any(item == member for member in whole if not isinstance(member, list | tuple | Mapping))
    raise TypeMismatch("'in' looks in a text, a list or an object")
