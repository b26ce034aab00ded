"""Jinja templates, read and never run: jinja2 parses them, an allow-list turns its tree into ours, and no code is compiled.

What is taken: output, `if`, `for`, names, items (`a.b`, `a[0]`, `a[:3]`), literals and lists, comparisons, `and`, `or`, `not`,
`in`, `a if b else c`, `~`, arithmetic of numbers, and the filters and tests of
`promptuary.prompt.templates.jinja.filters`. All else is
refused by name: a call, `set`, `macro`, `include`, `import`, `extends`, a name that begins with `_`, `**`.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.jinja import expression as made
from promptuary.prompt.templates.jinja.expression import Expression
from promptuary.prompt.templates.jinja.filters import FILTERS, TESTS
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Tag
from promptuary.prompt.templates.value import is_number
from promptuary.prompt.text import refused_character

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

EXPRESSION_DEPTH_LIMIT = 64
_INTEGER_LIMIT = 2**53
_OPERATORS = {
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
_WORDS = {
    "Assign": "'set'",
    "AssignBlock": "'set'",
    "Block": "'block'",
    "Call": "a call",
    "CallBlock": "'call'",
    "Dict": "an object that is written out",
    "Extends": "'extends'",
    "FilterBlock": "'filter' as a block",
    "FromImport": "'from … import'",
    "Import": "'import'",
    "Include": "'include'",
    "Macro": "'macro'",
    "Pow": "'**'",
    "Pos": "'+' before a value",
    "ScopedEvalContextModifier": "'autoescape'",
    "Scope": "'autoescape'",
    "With": "'with'",
}


def require_jinja2() -> None:
    """See that the library is there.

    Raises:
        InvalidPrompt: naming the extra that brings it.
    """
    try:
        import jinja2  # noqa: F401 # only looked for
    except ImportError:
        said = "jinja2 prompts need a package that is not installed here: install promptuary[jinja2]"
        raise InvalidPrompt("the prompt cannot be used", [FieldError("format", said)]) from None


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    """Give the environment whose syntax is read; sandboxed, though nothing is ever run in it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment()


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template once; `path` is where it stands, for the fault.

    Raises:
        InvalidPrompt: naming the line of the first fault: what jinja2 cannot read, or what is not on the allow-list; or the
            extra to install, where jinja2 is not there.
    """
    require_jinja2()
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    reader = _Reader(path)
    try:
        tree = Parser(_environment(), source).parse()
        return reader.body(tree.body, 0)
    except TemplateSyntaxError as error:
        reader.refuse((error.message or "it cannot be read")[:200], error.lineno)
    except RecursionError:
        reader.refuse("it is nested too deep", 1)
    except ValueError:  # Python reads no integer of more than some thousand digits
        reader.refuse("a number has too many digits", 1)


class _Reader:
    """One walk over jinja2's tree, which takes nothing that it does not name."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.kinds: dict[str, Callable[[Any, int], Expression]] = {
            "Const": self._constant,
            "Name": self._name,
            "Getattr": self._attribute,
            "Getitem": self._item,
            "List": self._list,
            "Tuple": self._list,
            "Concat": lambda node, depth: made.Concatenation(self._all(node.nodes, depth)),
            "And": lambda node, depth: made.And(*self._all((node.left, node.right), depth)),
            "Or": lambda node, depth: made.Or(*self._all((node.left, node.right), depth)),
            "Not": lambda node, depth: made.Not(self.expression(node.node, depth)),
            "Neg": lambda node, depth: made.Negation(self._number(node.node, depth, "-")),
            "Compare": self._compare,
            "CondExpr": self._choice,
            "Filter": self._filter,
            "Test": self._test,
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
        }

    def refuse(self, words: str, line: int) -> NoReturn:
        said = f"{words} (line {line} of the template)"
        raise InvalidPrompt("the template does not parse", [FieldError(self.path, said)]) from None

    def body(self, statements: Sequence["nodes.Node"], depth: int) -> tuple[Node, ...]:
        """Read statements."""
        if depth > DEPTH_LIMIT:
            self.refuse(f"blocks are nested more than {DEPTH_LIMIT} deep", statements[0].lineno if statements else 1)
        read: list[Node] = []
        for node in statements:
            kind = type(node).__name__
            if kind == "Output":
                read += [self._shown(part) for part in node.nodes]  # type: ignore[attr-defined]  # an Output has them
            elif kind == "If":
                read.append(self._if(node, depth))
            elif kind == "For":
                read.append(self._for(node, depth))
            else:
                self._not_taken(node)
        return tuple(read)

    def _shown(self, node: Any) -> Node:
        if type(node).__name__ == "TemplateData":
            return Literal(node.data)
        expression = self.expression(node, 0)
        return Tag(expression.name) if isinstance(expression, made.NameLookup) else Output(expression, node.lineno)

    def _if(self, node: Any, depth: int) -> If:
        branches = [(self.expression(one.test, 0), self.body(one.body, depth + 1)) for one in (node, *node.elif_)]
        return If(tuple(branches), self.body(node.else_, depth + 1), node.lineno)

    def _for(self, node: Any, depth: int) -> For:
        if node.recursive:
            self.refuse("'recursive' is not taken", node.lineno)
        targets = node.target.items if type(node.target).__name__ == "Tuple" else [node.target]
        names: list[str] = []
        for target in targets:
            if type(target).__name__ != "Name" or target.name in ("loop", *names):
                self.refuse("a loop gives its items plain names of their own, and none is 'loop'", node.lineno)
            names.append(self._plain(target.name, node.lineno))
        return For(
            names=tuple(names),
            over=self.expression(node.iter, 0),
            test=None if node.test is None else self.expression(node.test, 0),
            body=self.body(node.body, depth + 1),
            otherwise=self.body(node.else_, depth + 1),
            line=node.lineno,
        )

    def expression(self, node: Any, depth: int) -> Expression:
        """Read an expression."""
        if depth > EXPRESSION_DEPTH_LIMIT:
            self.refuse(f"an expression is nested more than {EXPRESSION_DEPTH_LIMIT} deep", node.lineno)
        read = self.kinds.get(type(node).__name__)
        if read is None:
            self._not_taken(node)
        return read(node, depth + 1)

    def _all(self, nodes: Sequence[Any], depth: int) -> tuple[Expression, ...]:
        return tuple(self.expression(node, depth) for node in nodes)

    def _not_taken(self, node: Any) -> NoReturn:
        kind = type(node).__name__
        self.refuse(f"{_WORDS.get(kind, kind)} is not taken in a prompt", node.lineno)

    def _plain(self, name: str, line: int) -> str:
        if name.startswith("_"):
            self.refuse(f"'{name[:80]}' begins with '_', which no name in a template does", line)
        return name

    def _constant(self, node: Any, _: int) -> Expression:
        value = node.value
        if isinstance(value, str) and (message := refused_character(value)) is not None:
            self.refuse(f"a text {message}", node.lineno)
        if not math.isfinite(value) if isinstance(value, float) else isinstance(value, int) and value >= _INTEGER_LIMIT:
            self.refuse("a number is beyond what every reader holds: integers end at 2^53 − 1", node.lineno)
        return made.Constant(value)

    def _name(self, node: Any, _: int) -> Expression:
        return made.NameLookup(self._plain(node.name, node.lineno))

    def _attribute(self, node: Any, depth: int) -> Expression:
        key = made.Constant(self._plain(node.attr, node.lineno))
        return made.ItemLookup(self.expression(node.node, depth), key)

    def _item(self, node: Any, depth: int) -> Expression:
        of = self.expression(node.node, depth)
        if type(node.arg).__name__ != "Slice":
            key = self.expression(node.arg, depth)
            if isinstance(key, made.Constant) and isinstance(key.constant, str):
                self._plain(key.constant, node.lineno)
            return made.ItemLookup(of, key)
        if node.arg.step is not None:
            self.refuse("a slice with a step is not taken in a prompt", node.lineno)
        start, stop = (None if one is None else self.expression(one, depth) for one in (node.arg.start, node.arg.stop))
        return made.Slice(of, start, stop)

    def _list(self, node: Any, depth: int) -> Expression:
        return made.ListLiteral(self._all(node.items, depth))

    def _compare(self, node: Any, depth: int) -> Expression:
        rest = tuple((_OPERATORS[one.op], self.expression(one.expr, depth)) for one in node.ops)
        return made.CompareChain(self.expression(node.expr, depth), rest)

    def _choice(self, node: Any, depth: int) -> Expression:
        otherwise = None if node.expr2 is None else self.expression(node.expr2, depth)
        return made.Conditional(self.expression(node.test, depth), self.expression(node.expr1, depth), otherwise)

    def _arithmetic(self, node: Any, depth: int) -> Expression:
        sign = _ARITHMETIC[type(node).__name__]
        return made.Arithmetic(sign, self._number(node.left, depth, sign), self._number(node.right, depth, sign))

    def _number(self, node: Any, depth: int, sign: str) -> Expression:
        """Read what is reckoned with; what can be seen to be no number is refused now."""
        read = self.expression(node, depth)
        if isinstance(read, made.Concatenation | made.ListLiteral) or (
            isinstance(read, made.Constant) and not is_number(read.constant)
        ):
            self.refuse(f"'{sign}' reckons with numbers only; texts are put together by ~", node.lineno)
        return read

    def _filter(self, node: Any, depth: int) -> Expression:
        if node.node is None or node.name not in FILTERS:
            self.refuse(f"the filter '{node.name[:80]}' is not taken; taken are {', '.join(FILTERS)}", node.lineno)
        arguments, options = self._arguments(node, depth)
        try:
            inspect.signature(FILTERS[node.name]).bind(None, None, *arguments, **dict(options))
        except TypeError as error:
            self.refuse(f"the filter '{node.name}' is given what it does not take: {error}", node.lineno)
        return made.FilterCall(node.name, self.expression(node.node, depth), arguments, options)

    def _test(self, node: Any, depth: int) -> Expression:
        if node.name not in TESTS or any(self._arguments(node, depth)):
            self.refuse(f"the test '{node.name[:80]}' is not taken so; taken are {', '.join(TESTS)}", node.lineno)
        return made.TestCall(node.name, self.expression(node.node, depth))

    def _arguments(self, node: Any, depth: int) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.refuse("arguments by * or ** are not taken in a prompt", node.lineno)
        return self._all(node.args, depth), tuple((one.key, self.expression(one.value, depth)) for one in node.kwargs)
