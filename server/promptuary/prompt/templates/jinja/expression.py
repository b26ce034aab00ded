"""Expressions of Jinja templates, as values of our own that evaluate themselves; they are data and never become code.

They see JSON values only: `a.b` is a member of an object and no attribute of anything. Every part counts its steps.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from promptuary.prompt.templates.jinja.filters import CONSTANT_TIME_FILTERS, FILTERS, TESTS
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import UNDEFINED, TypeMismatch, is_number, to_text

_INTEGER_LIMIT = 2**63
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Expression(ABC):
    """A part of a template that has a value."""

    @abstractmethod
    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Evaluate in scopes, the innermost last.

        Raises:
            Misfit: when a value is not of a kind that this works on.
            RenderTooLarge: when the budget is used up.
        """


@dataclass(frozen=True)
class Constant(Expression):
    """A text, a number, true, false or none."""

    constant: Any

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Give the constant."""
        budget.step()
        return self.constant


@dataclass(frozen=True)
class NameLookup(Expression):
    """A variable, or what a loop names."""

    name: str

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Look it up; what is nowhere is undefined."""
        budget.step()
        for scope in reversed(stack):
            if isinstance(scope, Mapping) and self.name in scope:
                return scope[self.name]
        return UNDEFINED


@dataclass(frozen=True)
class ListLiteral(Expression):
    """A list that is written out."""

    items: tuple[Expression, ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Give the list."""
        budget.step()
        items = [item.value(stack, budget) for item in self.items]
        if UNDEFINED in items:
            raise TypeMismatch("a list is written out of values, and one of them is not there")
        return items


@dataclass(frozen=True)
class ItemLookup(Expression):
    """A member of an object, an item of a list, a character of a text; what is not there is undefined."""

    of: Expression
    key: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Look it up by a text or an integer."""
        budget.step()
        whole, key = self.of.value(stack, budget), self.key.value(stack, budget)
        if whole is UNDEFINED:
            raise TypeMismatch("it has no value, so nothing can be looked up in it")
        if isinstance(whole, Mapping):
            return whole.get(key, UNDEFINED) if isinstance(key, str) else UNDEFINED
        if isinstance(whole, list | tuple | str) and isinstance(key, int) and -len(whole) <= key < len(whole):
            return whole[key]
        return UNDEFINED


@dataclass(frozen=True)
class Slice(Expression):
    """A part of a list or a text, from one place to another."""

    of: Expression
    start: Expression | None
    stop: Expression | None

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Cut it out."""
        budget.step()
        whole = self.of.value(stack, budget)
        places = [None if place is None else place.value(stack, budget) for place in (self.start, self.stop)]
        if not isinstance(whole, list | tuple | str):
            raise TypeMismatch("only a list or a text can be cut")
        if not all(place is None or isinstance(place, int) for place in places):
            raise TypeMismatch("a list is cut at whole numbers")
        budget.step(len(whole) // 16)
        return whole[places[0] : places[1]]


@dataclass(frozen=True)
class Concatenation(Expression):
    """Values put together as texts, by `~`."""

    parts: tuple[Expression, ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Give the text."""
        budget.step()
        texts: list[str] = []
        for part in self.parts:
            texts.append(to_text(part.value(stack, budget)))
            budget.step(len(texts[-1]) // 16)
        budget.hold(sum(map(len, texts)))
        return "".join(texts)


@dataclass(frozen=True)
class Arithmetic(Expression):
    """Two numbers reckoned with; texts and lists are refused, so nothing can be multiplied into something huge."""

    sign: str
    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Reckon; the result is finite and within 64 bits."""
        budget.step()
        left, right = self.left.value(stack, budget), self.right.value(stack, budget)
        if not is_number(left) or not is_number(right):
            raise TypeMismatch(
                f"'{self.sign}' takes two numbers" + ("; texts are put together by ~" if self.sign == "+" else "")
            )
        try:
            result = _SIGNS[self.sign](left, right)
        except ZeroDivisionError:
            raise TypeMismatch(f"'{self.sign}' divides by zero") from None
        except OverflowError:
            raise TypeMismatch(f"the result of '{self.sign}' is beyond what can be held") from None
        held = math.isfinite(result) if isinstance(result, float) else -_INTEGER_LIMIT <= result < _INTEGER_LIMIT
        if not held:
            raise TypeMismatch(f"the result of '{self.sign}' is beyond what can be held")
        return result


@dataclass(frozen=True)
class Negation(Expression):
    """A number with its sign turned."""

    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Turn it."""
        budget.step()
        number = self.of.value(stack, budget)
        if not is_number(number):
            raise TypeMismatch("'-' takes a number")
        return -number


@dataclass(frozen=True)
class CompareChain(Expression):
    """A chain of comparisons, as `0 < n <= 3`; it stops at the first that does not hold."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Compare."""
        budget.step()
        left = self.first.value(stack, budget)
        for word, expression in self.rest:
            right = expression.value(stack, budget)
            if not _holds(word, left, right, budget):
                return False
            left = right
        return True


def _holds(word: str, left: Any, right: Any, budget: RenderBudget) -> bool:
    if word in ("in", "not in"):
        return _within(left, right, budget) == (word == "in")
    if isinstance(left, str) and isinstance(right, str):
        budget.step(min(len(left), len(right)) // 64)
    elif word in ("==", "!="):
        for value in (left, right):
            if isinstance(value, list | tuple | Mapping):
                raise TypeMismatch(f"'{word}' compares texts, numbers, true, false and none, and no lists or objects")
    elif not is_number(left) or not is_number(right):
        raise TypeMismatch(f"'{word}' compares two numbers or two texts")
    return bool(_ORDERS[word](left, right)) if word in _ORDERS else (left == right) == (word == "==")


def _within(item: Any, whole: Any, budget: RenderBudget) -> bool:
    if whole is UNDEFINED:
        return False
    if isinstance(item, list | tuple | Mapping):
        raise TypeMismatch("'in' looks for a text or a number, and for no list or object")
    if isinstance(whole, str):
        if not isinstance(item, str):
            raise TypeMismatch("'in' looks for a text in a text")
        budget.step((len(item) + len(whole)) // 16)
        return item in whole
    if isinstance(whole, Mapping):
        return item in whole
    if isinstance(whole, list | tuple):
        budget.step(len(whole) * (1 + (len(item) // 1024 if isinstance(item, str) else 0)))
        return any(item == one for one in whole if not isinstance(one, list | tuple | Mapping))
    raise TypeMismatch("'in' looks in a text, a list or an object")


@dataclass(frozen=True)
class And(Expression):
    """`a and b`: the first that is not true, else the last."""

    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Evaluate the right side only where it matters."""
        budget.step()
        left = self.left.value(stack, budget)
        return self.right.value(stack, budget) if left else left


@dataclass(frozen=True)
class Or(Expression):
    """`a or b`: the first that is true, else the last."""

    left: Expression
    right: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Evaluate the right side only where it matters."""
        budget.step()
        left = self.left.value(stack, budget)
        return left if left else self.right.value(stack, budget)


@dataclass(frozen=True)
class Not(Expression):
    """True for what is false, empty, zero, none or undefined."""

    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Turn it."""
        budget.step()
        return not self.of.value(stack, budget)


@dataclass(frozen=True)
class Conditional(Expression):
    """`a if test else b`; without `else`, undefined."""

    test: Expression
    then: Expression
    otherwise: Expression | None

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Evaluate one side only."""
        budget.step()
        if self.test.value(stack, budget):
            return self.then.value(stack, budget)
        return UNDEFINED if self.otherwise is None else self.otherwise.value(stack, budget)


@dataclass(frozen=True)
class FilterCall(Expression):
    """A value through one of the filters that are taken."""

    name: str
    of: Expression
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Expression], ...]

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Apply it; a text counts by its length, before and after."""
        budget.step()
        value = self.of.value(stack, budget)
        arguments = [argument.value(stack, budget) for argument in self.arguments]
        options = {name: option.value(stack, budget) for name, option in self.options}
        if self.name not in CONSTANT_TIME_FILTERS:
            budget.step(sum(len(one) // 16 for one in (value, *arguments) if isinstance(one, str | list | tuple)))
        result = FILTERS[self.name](budget, value, *arguments, **options)
        if isinstance(result, str) and result is not value:
            budget.hold(len(result))
        return result


@dataclass(frozen=True)
class TestCall(Expression):
    """Whether a value is of a kind: defined, a number, and the like."""

    name: str
    of: Expression

    def value(self, stack: list[Any], budget: RenderBudget) -> Any:
        """Tell."""
        budget.step()
        return TESTS[self.name](self.of.value(stack, budget))


def operands(expression: Expression) -> list[Expression]:
    """Give what an expression is directly made of, in its order."""
    found: list[Expression] = []

    def gather(value: Any) -> None:
        if isinstance(value, tuple):
            for item in value:
                gather(item)
        elif isinstance(value, Expression):
            found.append(value)

    for field in fields(expression):  # type: ignore[arg-type]  # every kind of expression is a dataclass
        gather(getattr(expression, field.name))
    return found


def first_name(expression: Expression) -> str | None:
    """Give the variable that an expression begins with, for a fault's path."""
    if isinstance(expression, NameLookup):
        return expression.name
    return next((name for part in operands(expression) if (name := first_name(part))), None)
