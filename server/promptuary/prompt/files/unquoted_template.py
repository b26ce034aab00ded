"""Templates that stand in YAML without quotes: `template: {{name}}` is an object in an object, and not a text."""

import re

_PLAIN_SCALAR = re.compile(r"""(?:^|[:,\[{]|-)[ \t]+(?P<text>\{[{%#](?:[^}]|\}(?!\}))*\}*)""")
_COLON = re.compile(r"""^[ \t-]*[A-Za-z0-9_.-]+:[ \t]+(?P<text>[^"'|>{\[ \t].*\{\{.*: .*)$""")
_SHOWN_CHARACTERS = 60


def quoting_advice(text: str, line: int) -> tuple[int, str] | None:
    """Return the line of a template without quotes in a YAML text, and the advice to quote it; None where there is none.

    Args:
        text: the YAML.
        line: the line of the error, from 1. The text may have begun in the line before it.
    """
    lines = text.split("\n")
    for number in (line, line - 1):
        source = lines[number - 1].rstrip() if 0 < number <= len(lines) else ""
        if match := _PLAIN_SCALAR.search(source):
            what = f"a text that begins with '{match['text'][:2]}'"
            return number, f"{what} is not one in YAML: quote it: {_quoted(_without_outer_braces(match['text']))}"
        if match := _COLON.search(source):
            return number, f"a text with ': ' in it is not one in YAML: quote it: {_quoted(match['text'])}"
    return None


def _without_outer_braces(text: str) -> str:
    """Return a text without the braces at its end that close objects of YAML around it."""
    surplus = text.count("}") - text.count("{")
    return text[:-surplus] if surplus > 0 and text.endswith("}" * surplus) else text


def _quoted(text: str) -> str:
    shortened = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    quote = "'" if '"' in shortened and "'" not in shortened else '"'
    return f"{quote}{shortened}{quote}"
