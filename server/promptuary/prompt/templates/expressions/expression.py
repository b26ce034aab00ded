"""The base class of all expressions, and how to walk over one."""

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any

from promptuary.prompt.templates.render_budget import RenderBudget


class Expression(ABC):
    """A part of a template that has a value. Each subclass is a frozen dataclass."""

    @abstractmethod
    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Evaluate the expression.

        Args:
            stack: the scopes in which names are looked up, the innermost last.
            budget: counts one step for each part of an expression.

        Returns:
            A JSON value, or `UNDEFINED`.

        Raises:
            TypeMismatch: a value has a type on which this expression does not work.
            RenderTooLarge: the budget is used up.
        """


def operands(expression: Expression) -> list[Expression]:
    """Return the expressions that this one is directly made of, in the order of its fields."""
    direct: list[Expression] = []

    def collect(value: Any) -> None:
        if isinstance(value, tuple):
            for item in value:
                collect(item)
        elif isinstance(value, Expression):
            direct.append(value)

    for field in fields(expression):  # type: ignore[arg-type]  # each kind of expression is a dataclass
        collect(getattr(expression, field.name))
    return direct
