"""A compiled JSON Schema: parsed from a suite's value, checked, and evaluated within limits."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from promptuary.evaluation.scorers.json_schema.limits import limited_evaluation
from promptuary.evaluation.scorers.json_schema.walk import check_size
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.yaml_document import parse_yaml

if TYPE_CHECKING:
    from promptuary.prompt.json_schema.jsonschema_package import Validator

Dialect = Literal["standard", "ajv-draft-07"]


@dataclass(frozen=True)
class JsonSchema:
    """A schema that was checked.

    Attributes:
        validator: the library's.
        backtracks: whether it has a pattern whose search may take long, so that an evaluation belongs in a thread.
    """

    validator: "Validator"
    backtracks: bool

    def error(self, value: Any) -> str | None:
        """Return the first place where a value does not fit, or None.

        Raises:
            Invalid: where a limit is reached, so that it is not known.
        """
        with limited_evaluation():
            for error in self.validator.iter_errors(value):
                where = ".".join(map(str, error.absolute_path))
                keyword = error.validator or "false"
                return f"does not fit the schema at '{where}': {keyword}" if where else f"does not fit: {keyword}"
        return None


def compile_schema(value: Any, dialect: Dialect = "standard") -> JsonSchema:
    """Compile a schema: an object, true or false, or a text of JSON or YAML that is one.

    Args:
        value: the schema.
        dialect: whose rules it has. `standard` is JSON Schema, of the draft that `$schema` names, by default 2020-12.
            `ajv-draft-07` is draft 7 as Ajv reads it in its strict mode, with ajv-formats.

    Raises:
        Invalid: for what is no schema, has an unknown keyword or format, or refers to what is not in it.
    """
    schema = parse_yaml(value, "the schema", core=dialect != "standard").value if isinstance(value, str) else value
    if not isinstance(schema, dict | bool):
        raise Invalid("the schema must be an object, true or false")
    check_size(schema)
    return _compile(json.dumps(schema), dialect)


@lru_cache(maxsize=256)
def _compile(text: str, dialect: Dialect) -> JsonSchema:
    """Compile the JSON of a schema, once for all cases and scorers that have the same; it takes some milliseconds."""
    # The library takes longer to import than most suites take to run, and few of them have a schema.
    from promptuary.evaluation.scorers.json_schema.compilation import backtracks, compiled_validator

    with limited_evaluation():
        validator = compiled_validator(json.loads(text), ajv=dialect == "ajv-draft-07")
        return JsonSchema(validator, backtracks(validator.schema))
