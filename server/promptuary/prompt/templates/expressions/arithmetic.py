"""Arithmetic of numbers. Texts and lists are refused, so that no expression can multiply one into something huge."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import TypeMismatch, is_number

_INTEGER_LIMIT = 2**63
ARITHMETIC_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}


@dataclass(frozen=True)
class Arithmetic(Expression):
    """An arithmetic operation on two numbers."""

    sign: str
    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the result, which is finite and, if an integer, has at most 64 bits."""
        budget.add_steps()
        left, right = self.left.value(stack, budget), self.right.value(stack, budget)
        if not is_number(left) or not is_number(right):
            raise TypeMismatch(f"'{self.sign}' needs two numbers" + ("; join texts with ~" if self.sign == "+" else ""))
        try:
            result = ARITHMETIC_OPERATORS[self.sign](left, right)
        except ZeroDivisionError:
            raise TypeMismatch(f"'{self.sign}' divides by zero") from None
        except OverflowError:
            raise TypeMismatch(f"the result of '{self.sign}' is too large") from None
        fits = math.isfinite(result) if isinstance(result, float) else -_INTEGER_LIMIT <= result < _INTEGER_LIMIT
        if not fits:
            raise TypeMismatch(f"the result of '{self.sign}' is too large")
        return result


@dataclass(frozen=True)
class Negation(Expression):
    """A number with its sign changed."""

    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the negative of the number."""
        budget.add_steps()
        number = self.of.value(stack, budget)
        if not is_number(number):
            raise TypeMismatch("'-' needs a number")
        return -number
