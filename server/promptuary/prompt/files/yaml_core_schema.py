"""YAML 1.2's core schema for PyYAML's scanner, which reads 1.1: what programs in JavaScript read in the same file.

`yes`, `on` and `1:30` are texts, `012` is twelve, `1e3` a number; in `{ask: Really?}` the question mark is text.
"""

import re

import yaml

_ENDS = "\0 \t\r\n\x85\u2028\u2029"
_KINDS = {
    "null": (r"~|null|Null|NULL|", ("~", "n", "N", "")),
    "bool": (r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    "int": (r"[-+]?(0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)", tuple("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        tuple("-+0123456789."),
    ),
    "merge": (r"<<", ("<",)),
}


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader by the core schema."""

    def scan_plain(self) -> yaml.ScalarToken:
        """Read a text without quotes, as far as it goes."""
        start = end = self.get_mark()
        indent = self.indent + 1
        parts: list[str] = []
        between: list[str] | None = None
        while self.peek() != "#" and (length := self._length()):
            self.allow_simple_key = False
            parts += [*(between or ()), self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            between = self.scan_plain_spaces(indent, start)
            if not between or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(parts), True, start, end)

    def _length(self) -> int:
        """Count the characters up to a blank, a colon that ends a key, or, inside brackets, what divides them."""
        dividers = ",[]{}" if self.flow_level else ""
        length = 0
        while (character := self.peek(length)) not in _ENDS + dividers and not (
            character == ":" and self.peek(length + 1) in _ENDS + dividers
        ):
            length += 1
        return length


def _int(_: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    sign, digits = (-1, node.value[1:]) if node.value[0] == "-" else (1, node.value.lstrip("+"))
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2])
    return sign * (int(digits) if base is None else int(digits[2:], base))


def _float(_: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


CoreLoader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _begins) in _KINDS.items():
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), [*_begins])
CoreLoader.add_constructor("tag:yaml.org,2002:int", _int)
CoreLoader.add_constructor("tag:yaml.org,2002:float", _float)
