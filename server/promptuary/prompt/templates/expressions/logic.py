"""`and`, `or`, `not` and the conditional expression. Each evaluates only the side that it needs."""

from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import UNDEFINED, Undefined


@dataclass(frozen=True)
class And(Expression):
    """`a and b`."""

    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the left value if it is false, else the right one; a left side without a value is shown as nothing."""
        budget.add_steps()
        left = self.left.value(stack, budget)
        if left:
            return self.right.value(stack, budget)
        return UNDEFINED if isinstance(left, Undefined) else left


@dataclass(frozen=True)
class Or(Expression):
    """`a or b`."""

    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the left value if it is true, else the right one."""
        budget.add_steps()
        left = self.left.value(stack, budget)
        return left if left else self.right.value(stack, budget)


@dataclass(frozen=True)
class Not(Expression):
    """`not a`."""

    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return true for what is false, empty, zero, none or undefined."""
        budget.add_steps()
        return not self.of.value(stack, budget)


@dataclass(frozen=True)
class Conditional(Expression):
    """`a if test else b`."""

    test: Expression
    then: Expression
    otherwise: Expression | None

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the value of one side; without `else`, the other side is undefined."""
        budget.add_steps()
        if self.test.value(stack, budget):
            return self.then.value(stack, budget)
        return UNDEFINED if self.otherwise is None else self.otherwise.value(stack, budget)
