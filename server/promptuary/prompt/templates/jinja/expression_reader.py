"""Expressions of jinja2's tree, converted to our own; each kind of node that is not on the list is refused."""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from promptuary.prompt.templates.expressions.arithmetic import Arithmetic, Negation
from promptuary.prompt.templates.expressions.calls import FilterCall, TestCall
from promptuary.prompt.templates.expressions.comparison import CompareChain
from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.expressions.filters import FILTERS, TESTS
from promptuary.prompt.templates.expressions.literals import Concatenation, Constant, ListLiteral
from promptuary.prompt.templates.expressions.logic import And, Conditional, Not, Or
from promptuary.prompt.templates.expressions.lookups import ItemLookup, NameLookup, Slice
from promptuary.prompt.templates.jinja.refusal import TemplateRefusal, public_name, refuse_node
from promptuary.prompt.templates.value import is_number
from promptuary.prompt.text import refused_character

EXPRESSION_DEPTH_LIMIT = 64
_INTEGER_LIMIT = 2**53
_COMPARISONS = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%"}


class ExpressionReader:
    """Converts expressions of jinja2's tree by the name of their node.

    Attributes:
        converters: the nodes that are supported, and how each is converted.
    """

    def __init__(self) -> None:
        self.converters: dict[str, Callable[[Any, int], Expression]] = {
            "Const": self._constant,
            "Name": self._name,
            "Getattr": self._attribute,
            "Getitem": self._item,
            "List": self._list,
            "Tuple": self._list,
            "Concat": lambda node, depth: Concatenation(self._read_all(node.nodes, depth)),
            "And": lambda node, depth: And(*self._read_all((node.left, node.right), depth)),
            "Or": lambda node, depth: Or(*self._read_all((node.left, node.right), depth)),
            "Not": lambda node, depth: Not(self.read(node.node, depth)),
            "Neg": lambda node, depth: Negation(self._number(node.node, depth, "-")),
            "Compare": self._compare,
            "CondExpr": self._conditional,
            "Filter": self._filter,
            "Test": self._test,
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
        }

    def read(self, node: Any, depth: int) -> Expression:
        """Convert an expression.

        Args:
            node: a node of jinja2's tree.
            depth: how many expressions are around it.

        Raises:
            TemplateRefusal: it is nested too deep, or uses what is not supported.
        """
        if depth > EXPRESSION_DEPTH_LIMIT:
            raise TemplateRefusal(f"an expression is nested more than {EXPRESSION_DEPTH_LIMIT} deep", node.lineno)
        convert = self.converters.get(type(node).__name__)
        if convert is None:
            refuse_node(node)
        return convert(node, depth + 1)

    def _read_all(self, nodes: Sequence[Any], depth: int) -> tuple[Expression, ...]:
        return tuple(self.read(node, depth) for node in nodes)

    def _constant(self, node: Any, _: int) -> Expression:
        value = node.value
        if isinstance(value, str) and (message := refused_character(value)) is not None:
            raise TemplateRefusal(f"a text {message}", node.lineno)
        if not math.isfinite(value) if isinstance(value, float) else isinstance(value, int) and value >= _INTEGER_LIMIT:
            message = "a number is too large for other readers of JSON: integers end at 2^53 − 1"
            raise TemplateRefusal(message, node.lineno)
        return Constant(value)

    def _name(self, node: Any, _: int) -> Expression:
        return NameLookup(public_name(node.name, node.lineno))

    def _attribute(self, node: Any, depth: int) -> Expression:
        key = Constant(public_name(node.attr, node.lineno))
        return ItemLookup(self.read(node.node, depth), key)

    def _item(self, node: Any, depth: int) -> Expression:
        of = self.read(node.node, depth)
        if type(node.arg).__name__ != "Slice":
            key = self.read(node.arg, depth)
            if isinstance(key, Constant) and isinstance(key.constant, str):
                public_name(key.constant, node.lineno)
            return ItemLookup(of, key)
        if node.arg.step is not None:
            raise TemplateRefusal("a slice with a step is not supported in a prompt", node.lineno)
        start, stop = (None if bound is None else self.read(bound, depth) for bound in (node.arg.start, node.arg.stop))
        return Slice(of, start, stop)

    def _list(self, node: Any, depth: int) -> Expression:
        return ListLiteral(self._read_all(node.items, depth))

    def _compare(self, node: Any, depth: int) -> Expression:
        rest = tuple((_COMPARISONS[operand.op], self.read(operand.expr, depth)) for operand in node.ops)
        return CompareChain(self.read(node.expr, depth), rest)

    def _conditional(self, node: Any, depth: int) -> Expression:
        otherwise = None if node.expr2 is None else self.read(node.expr2, depth)
        return Conditional(self.read(node.test, depth), self.read(node.expr1, depth), otherwise)

    def _arithmetic(self, node: Any, depth: int) -> Expression:
        sign = _ARITHMETIC[type(node).__name__]
        return Arithmetic(sign, self._number(node.left, depth, sign), self._number(node.right, depth, sign))

    def _number(self, node: Any, depth: int, sign: str) -> Expression:
        """Convert an operand of arithmetic; refuse now what is visibly not a number."""
        operand = self.read(node, depth)
        is_constant_of_other_type = isinstance(operand, Constant) and not is_number(operand.constant)
        if isinstance(operand, Concatenation | ListLiteral) or is_constant_of_other_type:
            raise TemplateRefusal(f"'{sign}' computes with numbers only; join texts with ~", node.lineno)
        return operand

    def _filter(self, node: Any, depth: int) -> Expression:
        if node.node is None or node.name not in FILTERS:
            message = f"the filter '{node.name[:80]}' is not supported; supported are {', '.join(FILTERS)}"
            raise TemplateRefusal(message, node.lineno)
        arguments, options = self._arguments(node, depth)
        try:
            inspect.signature(FILTERS[node.name]).bind(None, None, *arguments, **dict(options))
        except TypeError as error:
            raise TemplateRefusal(
                f"the filter '{node.name}' has arguments that it does not accept: {error}", node.lineno
            ) from None
        return FilterCall(node.name, self.read(node.node, depth), arguments, options)

    def _test(self, node: Any, depth: int) -> Expression:
        if node.name not in TESTS or any(self._arguments(node, depth)):
            message = f"the test '{node.name[:80]}' is not supported, or not with arguments; supported are {', '.join(TESTS)}"
            raise TemplateRefusal(message, node.lineno)
        return TestCall(node.name, self.read(node.node, depth))

    def _arguments(self, node: Any, depth: int) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateRefusal("arguments by * or ** are not supported in a prompt", node.lineno)
        options = tuple((option.key, self.read(option.value, depth)) for option in node.kwargs)
        return self._read_all(node.args, depth), options
