"""Variables that a free config declares: Promptuary's routes for the Langfuse SDK write a version's variables there."""

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.registration.validation import validate_content


def with_config_declarations(content: Content) -> Content:
    """Return a content with the variables that its config declares, if they are declarations of the names in its texts.

    A content that declares variables itself stays as it is, and so does the config.
    """
    variables = content.config.get("variables") if isinstance(content.config, dict) else None
    if content.variables or not isinstance(variables, dict) or not variables:
        return content
    try:
        declared = Content.model_validate({**content_json(content), "variables": variables})
        validate_content(declared, resolved=False, jinja2=True)
    except (ValidationError, InvalidPrompt):
        return content  # an application's own value of this name
    return declared
