"""The JavaScript of a scorer: an expression, the body of a function, or a file's content."""

from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from promptuary.evaluation.case import Case
from promptuary.evaluation.javascript.host_names import host_name_error
from promptuary.evaluation.javascript.script import Script
from promptuary.evaluation.javascript.source import assertion_body, check_source, module_source
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.scorer_type import ScorerValue
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value
from promptuary.prompt.errors import Invalid

PARAMETERS = ("output", "context", "process")


@dataclass(frozen=True)
class JavaScriptValue(ScorerValue):
    """The code of a scorer.

    Attributes:
        template: of code in the suite, whose tags are filled from the case; None for a file.
        module: the function of a file; None for code in the suite.
    """

    template: ValueTemplate | None = None
    module: Script | None = None

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Parse a value: code, or the content of a file with the name of its function.

        Raises:
            Invalid: for what is neither, is too long, or needs what a script does not have.
        """
        if isinstance(value, dict):
            return cls(module=file_script(value, graded=True))
        if not isinstance(value, str) or not (value.strip() or cls.may_be_blank()):
            raise Invalid("is required: JavaScript that decides whether an output passes")
        if value.startswith("file://"):
            raise Invalid("names a file; only a suite's file can do that, so give the code itself")
        check_source(value)
        template = parse_value(value)
        if template.constant and (error := host_name_error(value)):
            raise Invalid(f"needs what is not here: {error}")
        return cls(template)

    @classmethod
    def may_be_blank(cls) -> bool:
        """Return whether blank code is taken, which returns nothing and so fails."""
        return False

    def script(self, case: Case) -> Script:
        """Return the function for a case.

        Raises:
            Invalid: where the filled code needs what a script does not have, and as `ValueTemplate.fill`.
        """
        if self.module is not None:
            return self.module
        assert self.template is not None
        code = self.template.text(case)
        if not self.template.constant and (error := host_name_error(code)):
            raise Invalid(f"the JavaScript needs what is not here: {error}")
        return Script(assertion_body(code), PARAMETERS, graded=True)

    @property
    def constant_script(self) -> Script | None:
        """The function where it is the same for all cases."""
        if self.template is not None and self.template.constant:
            return Script(assertion_body(self.template.parsed), PARAMETERS, graded=True)
        return self.module


class CaseJavaScriptValue(JavaScriptValue):
    """As `JavaScriptValue`; of a case, where code may be blank, as promptfoo accepts it."""

    @classmethod
    def may_be_blank(cls) -> bool:
        """Return that it is taken."""
        return True


def file_script(value: JsonObject, *, graded: bool) -> Script:
    """Return the function that a file exports, from the file's content in the suite.

    Args:
        value: `{file, function, code}`; the function is empty for the default export.
        graded: as `Script.graded`.

    Raises:
        Invalid: for another form, for TypeScript, and for what a script does not have.
    """
    file, function, code = value.get("file"), value.get("function"), value.get("code")
    if len(value) != 3 or not (isinstance(file, str) and isinstance(function, str) and isinstance(code, str)):
        raise Invalid("must be code, or have file, function and code")
    source = module_source(file, code)
    if error := host_name_error(code):
        raise Invalid(f"'{file}' needs what is not here: {error}")
    return Script(source=source, name=function or None, graded=graded)
