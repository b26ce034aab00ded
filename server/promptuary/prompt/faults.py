"""What pydantic found wrong, as faults in our own words: no class names, no union branches, no echo of the input."""

from pydantic import ValidationError

from promptuary.prompt.errors import Fault

WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def faults_of(error: ValidationError, prefix: str = "") -> list[Fault]:
    """List the faults of a failed validation; the tags of union branches (`<chat>`) are left out of the paths."""
    faults = []
    for detail in error.errors(include_url=False, include_input=False):
        parts = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
        message = WORDS.get(detail["type"]) or detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
        faults.append(Fault(".".join(filter(None, [prefix, *parts])), message))
    return faults
