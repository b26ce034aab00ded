"""Jinja templates, parsed and never run: jinja2 parses them, an allow-list converts its tree, and no code is compiled.

Supported: output, `if`, `for`, names, items (`a.b`, `a[0]`, `a[:3]`), literals and lists, comparisons, `and`, `or`, `not`,
`in`, `a if b else c`, `~`, arithmetic of numbers, and the filters and tests of
`promptuary.prompt.templates.expressions.filters`. Everything else is refused by name: a call, `set`, `macro`, `include`,
`import`, `extends`, a name that begins with `_`, `**`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.expressions.lookups import NameLookup
from promptuary.prompt.templates.jinja.expression_reader import ExpressionReader
from promptuary.prompt.templates.jinja.refusal import TemplateRefusal, public_name, refuse_node
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Tag

if TYPE_CHECKING:  # of a library that is loaded where it is used
    from jinja2 import Environment, nodes


def require_jinja2() -> None:
    """Check that the library is installed.

    Raises:
        InvalidPrompt: it is not; the message names the extra that installs it.
    """
    try:
        import jinja2  # noqa: F401 # only whether it can be imported
    except ImportError:
        message = "jinja2 prompts need a package that is not installed here: install promptuary[jinja2]"
        raise InvalidPrompt("the prompt cannot be used", [FieldError("format", message)]) from None


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    """Return the environment whose syntax is parsed; it is sandboxed, although nothing is ever run in it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment()


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template.

    Args:
        source: the template.
        path: the template's field, for errors.

    Raises:
        InvalidPrompt: jinja2 cannot parse it, or it uses what is not on the allow-list, with the line of the first error;
            or jinja2 is not installed.
    """
    require_jinja2()
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    try:
        return TemplateReader().body(Parser(_environment(), source).parse().body, 0)
    except TemplateRefusal as refusal:
        _fail(path, str(refusal), refusal.line)
    except TemplateSyntaxError as error:
        _fail(path, (error.message or "it cannot be parsed")[:200], error.lineno)
    except RecursionError:
        _fail(path, "it is nested too deep", 1)
    except ValueError:  # Python reads no integer of more than some thousand digits
        _fail(path, "a number has too many digits", 1)


def _fail(path: str, message: str, line: int) -> NoReturn:
    error = FieldError(path, f"{message} (line {line} of the template)")
    raise InvalidPrompt("the template does not parse", [error]) from None


class TemplateReader:
    """Converts the statements of jinja2's tree, and refuses each that it does not know."""

    def __init__(self) -> None:
        self.expressions = ExpressionReader()

    def body(self, statements: Sequence["nodes.Node"], depth: int) -> tuple[Node, ...]:
        """Convert statements.

        Raises:
            TemplateRefusal: one of them is not supported.
        """
        if depth > DEPTH_LIMIT:
            line = statements[0].lineno if statements else 1
            raise TemplateRefusal(f"blocks are nested more than {DEPTH_LIMIT} deep", line)
        converted: list[Node] = []
        for node in statements:
            node_type = type(node).__name__
            if node_type == "Output":
                converted += [self._output(part) for part in node.nodes]  # type: ignore[attr-defined]  # an Output has them
            elif node_type == "If":
                converted.append(self._if(node, depth))
            elif node_type == "For":
                converted.append(self._for(node, depth))
            else:
                refuse_node(node)
        return tuple(converted)

    def _output(self, node: Any) -> Node:
        if type(node).__name__ == "TemplateData":
            return Literal(node.data)
        expression = self.expressions.read(node, 0)
        return Tag(expression.name, node.lineno) if isinstance(expression, NameLookup) else Output(expression, node.lineno)

    def _if(self, node: Any, depth: int) -> If:
        branches = [
            (self.expressions.read(branch.test, 0), self.body(branch.body, depth + 1)) for branch in (node, *node.elif_)
        ]
        return If(tuple(branches), self.body(node.else_, depth + 1), node.lineno)

    def _for(self, node: Any, depth: int) -> For:
        if node.recursive:
            raise TemplateRefusal("'recursive' is not supported", node.lineno)
        targets = node.target.items if type(node.target).__name__ == "Tuple" else [node.target]
        names: list[str] = []
        for target in targets:
            if type(target).__name__ != "Name" or target.name in ("loop", *names):
                raise TemplateRefusal("the variables of a loop must be plain, different names, and none is 'loop'", node.lineno)
            names.append(public_name(target.name, node.lineno))
        return For(
            names=tuple(names),
            over=self.expressions.read(node.iter, 0),
            test=None if node.test is None else self.expressions.read(node.test, 0),
            body=self.body(node.body, depth + 1),
            otherwise=self.body(node.else_, depth + 1),
            line=node.lineno,
        )
