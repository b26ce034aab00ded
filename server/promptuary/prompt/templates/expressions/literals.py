"""Constants, lists that are written out, and texts joined by `~`."""

from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import TypeMismatch, Undefined, to_text


@dataclass(frozen=True)
class Constant(Expression):
    """A text, a number, true, false or none."""

    constant: Any

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the constant."""
        budget.add_steps()
        return self.constant


@dataclass(frozen=True)
class ListLiteral(Expression):
    """A list that is written out, as `[1, x]`."""

    items: tuple[Expression, ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the list of the items' values."""
        budget.add_steps()
        items = [item.value(stack, budget) for item in self.items]
        if any(isinstance(item, Undefined) for item in items):
            raise TypeMismatch("each item of a list needs a value, and one of them is undefined")
        return items


@dataclass(frozen=True)
class Concatenation(Expression):
    """Values joined as texts, by `~`."""

    parts: tuple[Expression, ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Return the joined text."""
        budget.add_steps()
        texts: list[str] = []
        for part in self.parts:
            texts.append(to_text(part.value(stack, budget)))
            budget.add_steps(len(texts[-1]) // 16)
        budget.add_intermediate(sum(map(len, texts)))
        return "".join(texts)
