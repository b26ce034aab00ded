"""The Python function of an application: a module's, or one of a file whose code the suite contains."""

import re
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.wire import RequestModel
from promptuary.prompt.errors import Invalid

CODE_LIMIT = 256 * 1024
PROMPTFOO_FUNCTION = "call_api"
_DOTTED_NAME = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$")


class FunctionSource(RequestModel):
    """A function.

    Attributes:
        file: the file's name, relative to the suite's file; None for a function of an installed module.
        module: the module's name; None for a function of a file.
        function: its name.
        code: the file's content.
    """

    file: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    module: Annotated[str, Field(max_length=400)] | None = None
    function: Annotated[str, Field(max_length=200)]
    code: Annotated[str, Field(max_length=CODE_LIMIT)] | None = None

    @classmethod
    def parse(cls, value: "str | FunctionSource") -> Self:
        """Return the function that a text `module:function` names; a function that is one already stays as it is.

        Raises:
            Invalid: for a text of another form.
        """
        if not isinstance(value, str):
            return cls(**value.model_dump())
        module, _, function = value.rpartition(":")
        if is_file(value):
            raise Invalid("names a file; only a suite's file can do that, so give file, function and code")
        if not _DOTTED_NAME.match(module) or not _DOTTED_NAME.match(function):
            raise Invalid("must be `module:function` or `file.py:function`")
        return cls(module=module, function=function)

    @classmethod
    def check(cls, value: Any) -> Any:
        """Check a field's value.

        Raises:
            ValueError: for a text of another form, an unknown name, or code that is no Python.
        """
        try:
            source = cls.parse(value)
        except Invalid as error:
            raise ValueError(str(error)) from None
        if (source.file is None) == (source.module is None) or (source.file is None) != (source.code is None):
            raise ValueError("takes a module and a function; or file, function and code")
        if not _DOTTED_NAME.match(source.function):
            raise ValueError(f"'{source.function}' is no name of a function")
        if source.code is not None:
            try:
                compile(source.code, f"<{source.file}>", "exec")
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                message = error.msg if isinstance(error, SyntaxError) else str(error)
                raise ValueError(f"'{source.file}' is no Python: {message}") from None
        return value

    @property
    def label(self) -> str:
        """What reports call it."""
        return f"{self.file or self.module}:{self.function}"


def is_file(reference: str) -> bool:
    """Return whether a text names a function of a file."""
    name, colon, _ = reference.rpartition(":")
    return reference.endswith(".py") or (bool(colon) and name.endswith(".py"))
