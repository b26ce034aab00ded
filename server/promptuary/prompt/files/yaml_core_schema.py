"""YAML 1.2's core schema for PyYAML.

PyYAML resolves scalars by YAML 1.1: `yes`, `no`, `on` and `off` are booleans, `1:30` is the sexagesimal number 90, `012` is
octal ten, `1e3` is a text. js-yaml and other readers of YAML 1.2 read the same file differently: `yes` and `1:30` are texts,
`012` is twelve, `1e3` is a number. A file that is written for such a reader, as promptfoo's are, must mean the same here, and
PyYAML has no option for it. So this module replaces the resolvers and the two constructors whose rules differ. It also replaces
the scan of plain scalars, because PyYAML ends one at a `?` inside brackets, as in `{ask: Really?}`, and YAML 1.2 does not.
"""

import re

import yaml

_SCALAR_ENDS = "\0 \t\r\n\x85\u2028\u2029"
_SCALAR_TYPES = {
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
    """PyYAML's safe loader with the core schema of YAML 1.2."""

    def scan_plain(self) -> yaml.ScalarToken:
        """Scan a plain scalar, which is a text without quotes."""
        start = end = self.get_mark()
        indent = self.indent + 1
        parts: list[str] = []
        blanks: list[str] | None = None
        while self.peek() != "#" and (length := self._length()):
            self.allow_simple_key = False
            parts += [*(blanks or ()), self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            blanks = self.scan_plain_spaces(indent, start)
            if not blanks or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(parts), True, start, end)

    def _length(self) -> int:
        """Return the number of characters before a blank, a colon that ends a key, or a separator inside brackets."""
        separators = ",[]{}" if self.flow_level else ""
        length = 0
        while (character := self.peek(length)) not in _SCALAR_ENDS + separators and not (
            character == ":" and self.peek(length + 1) in _SCALAR_ENDS + separators
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
for _type, (_pattern, _first_characters) in _SCALAR_TYPES.items():
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_type}", re.compile(f"^(?:{_pattern})$"), [*_first_characters])
CoreLoader.add_constructor("tag:yaml.org,2002:int", _int)
CoreLoader.add_constructor("tag:yaml.org,2002:float", _float)
