"""Variables that a free config declares: Promptuary's routes for the Langfuse SDK write a version's variables there."""

from collections.abc import Sequence

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.registration.declarations import declaration_errors
from promptuary.prompt.registration.validation import validate_content


def with_config_declarations(content: Content) -> tuple[Content, Sequence[FieldError]]:
    """Return a content with the variables that its config declares, if they are declarations of the names in its texts.

    A content that declares variables itself stays as it is, and so does the config.

    Returns:
        the content, and why declarations in its config are none that a value can meet; the content then has no variables.
    """
    variables = content.config.get("variables") if isinstance(content.config, dict) else None
    if content.variables or not isinstance(variables, dict) or not variables:
        return content, ()
    try:
        declared = Content.model_validate({**content_json(content), "variables": variables})
        validate_content(declared, resolved=False, jinja2=True)
    except ValidationError:
        return content, ()  # an application's own value of this name
    except InvalidPrompt as error:
        contradictions = declaration_errors(declared)
        if len(contradictions) < len(error.field_errors):
            return content, ()  # not of the names in the texts, so an application's own; or the content is refused anyway
        return content, [FieldError(f"config.{each.path}", each.message) for each in contradictions]
    return declared, ()
