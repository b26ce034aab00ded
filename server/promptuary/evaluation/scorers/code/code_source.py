"""The Python of a scorer: an expression, the body of a function, a module, or a file's content."""

import re
import textwrap
from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.scorer_type import ScorerValue
from promptuary.prompt.errors import Invalid

CODE_LIMIT = 256 * 1024
DEFAULT_FUNCTION = "get_assert"
_TAG = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")


@dataclass(frozen=True)
class CodeSource(ScorerValue):
    """The code of a scorer.

    Attributes:
        module: a name for error messages.
        function: the function of the module that is called with output and context.
        source: the source of the module.
    """

    module: str
    function: str
    source: str

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Parse a value: an expression, a body that returns, a module with `get_assert`, or the content of a file.

        Raises:
            Invalid: for what is none of these, does not parse, or is too long.
        """
        return cls.of(value, DEFAULT_FUNCTION)

    @classmethod
    def of(cls, value: JsonValue, default: str) -> Self:
        """Parse a value as `parse`, with the name of the function that a module defines.

        Raises:
            Invalid: as `parse`.
        """
        if isinstance(value, dict):
            return cls._from_file(value, default)
        if not isinstance(value, str) or not value.strip():
            raise Invalid("is required: Python that decides whether an output passes")
        if value.startswith("file://"):
            raise Invalid("names a file; only a suite's file can do that, so give the code itself")
        if _TAG.search(value):
            raise Invalid("has a template in its code; read variables as context['vars']['name'] instead")
        if re.search(rf"^(async\s+)?def\s+{default}\b", value, re.MULTILINE):
            return cls("value", default, _check_source(value))
        text = value.strip("\n")
        body = textwrap.dedent(text) if "\n" in text.strip() else f"return {text.strip()}"
        source = f"import json\n\ndef {default}(output, context):\n{textwrap.indent(body, '    ')}\n"
        return cls("value", default, _check_source(source))

    @classmethod
    def _from_file(cls, value: dict[str, JsonValue], default: str) -> Self:
        file, function, code = value.get("file"), value.get("function"), value.get("code")
        if len(value) == 3 and isinstance(file, str) and isinstance(function, str) and isinstance(code, str):
            return cls(file, function or default, _check_source(code))
        raise Invalid("must be code, or have file, function and code")


def _check_source(source: str) -> str:
    if len(source.encode("utf-8", "replace")) > CODE_LIMIT:
        raise Invalid(f"has more than {CODE_LIMIT} bytes of code")
    try:
        compile(source, "<value>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise Invalid(f"is no Python: {message}") from None
    return source
