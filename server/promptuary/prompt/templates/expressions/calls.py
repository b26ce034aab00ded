"""A value through a filter or a test."""

from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.expressions.filters import CONSTANT_TIME_FILTERS, FILTERS, TESTS
from promptuary.prompt.templates.render_budget import RenderBudget


@dataclass(frozen=True)
class FilterCall(Expression):
    """A value through one of the filters of `FILTERS`."""

    name: str
    of: Expression
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Expression], ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the filter's result; a text counts by its length, before and after."""
        budget.add_steps()
        value = self.of.value(stack, budget)
        arguments = [argument.value(stack, budget) for argument in self.arguments]
        options = {name: option.value(stack, budget) for name, option in self.options}
        if self.name not in CONSTANT_TIME_FILTERS:
            sized = (operand for operand in (value, *arguments) if isinstance(operand, str | list | tuple))
            budget.add_steps(sum(len(operand) // 16 for operand in sized))
        result = FILTERS[self.name](budget, value, *arguments, **options)
        if isinstance(result, str) and result is not value:
            budget.add_intermediate(len(result))
        return result


@dataclass(frozen=True)
class TestCall(Expression):
    """Whether a value passes one of the tests of `TESTS`, as `defined` or `number`."""

    name: str
    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the test's result."""
        budget.add_steps()
        return TESTS[self.name](self.of.value(stack, budget))
