"""Which variables take JSON where every value arrives as a text: on the command line, and over the Model Context Protocol."""

from promptuary.prompt.variables import Variable

_FORMS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON list",
    "object": "a JSON object",
}
_MESSAGES = 'a JSON list of messages, as [{"role": "user", "content": "…"}]'


def json_form(variable: Variable | None, *, placeholder: bool) -> str | None:
    """Return what to write for a variable whose text is parsed as JSON, such as "an integer".

    Args:
        variable: its declaration; None for one that is not declared.
        placeholder: whether it is a placeholder for messages.

    Returns:
        None for a variable that takes the text as it is, or that has no declared type.
    """
    if placeholder:
        return _MESSAGES
    if variable is None:
        return None
    if variable.type is None and variable.enum and not any(isinstance(value, str) for value in variable.enum):
        return "a JSON value of its list"
    return _FORMS.get(variable.type or "")
