"""One message of a chat as LangChain's template, or as a message object where it has no variables.

LangChain fills in texts and parts. It has no template for tool calls and for the results of tools, so such a message is
exported only if it has no variables. `ImagePromptTemplate` refuses variables named `url` and drops `cache_control`, so every
part becomes a `DictPromptTemplate`, which does neither.
"""

from typing import Any

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.messages.langchain_messages import MESSAGE_CLASSES, OPENAI_ROLE, message_object
from promptuary.prompt.messages.message import set_at
from promptuary.prompt.templates.message_templates import AnyMessageTemplate, MessageTemplate, StructuredMessageTemplate
from promptuary.prompt.templates.tree import Literal, Node, Partial, Section, Tag


def langchain_message(template: AnyMessageTemplate, path: str) -> Any:
    """Return a message as a message object or a message template of LangChain.

    Args:
        template: the message, parsed.
        path: its path in the content, for errors.

    Raises:
        InvalidPrompt: LangChain has no equivalent of the message.
    """
    if isinstance(template, StructuredMessageTemplate):
        if all(isinstance(node, Literal) for node in template.nodes):
            return message_object(template.literal())
        if "tool_calls" in template.body:
            raise _no_equivalent(f"{path}.tool_calls", "LangChain has no template for tool calls with variables")
        if template.role == "tool":
            raise _no_equivalent(f"{path}.content", "LangChain has no template for the result of a tool with variables")
    if template.role == "tool":
        raise _no_equivalent(f"{path}.role", "'tool' is not a role of LangChain without a tool_call_id")
    return _message_template(template, path)


def f_string(nodes: tuple[Node, ...], path: str) -> str:
    """Return a parsed template in LangChain's f-string format.

    Raises:
        InvalidPrompt: it is more than plain names in plain text.
    """
    pieces = []
    for node in nodes:
        if isinstance(node, Literal):
            pieces.append(_escape(node.text))
        elif isinstance(node, Tag) and node.name.isidentifier():  # LangChain reads an index or a format in other names
            pieces.append("{" + node.name + "}")
        else:
            what = f"'{node.name}'" if isinstance(node, Tag | Section | Partial) else "an expression, an if or a for"
            message = f"{what} is more than a plain name in plain text; render it with Promptuary instead"
            raise InvalidPrompt("LangChain's f-string format cannot express this prompt", [FieldError(path, message)])
    return "".join(pieces)


def _message_template(template: AnyMessageTemplate, path: str) -> Any:
    from langchain_core import prompts
    from langchain_core.prompts.dict import DictPromptTemplate

    message_class = getattr(prompts, f"{MESSAGE_CLASSES[template.role]}PromptTemplate")
    extra_fields: dict[str, Any] = {OPENAI_ROLE: "developer"} if template.role == "developer" else {}
    if isinstance(template, MessageTemplate):
        content: Any = f_string(template.nodes, f"{path}.content")
    else:
        body = _escape(dict(template.body))
        for field in template.fields:
            set_at(body, field.path, f_string(field.nodes, field.place))
        content = body["content"]
        if "name" in template.body:
            extra_fields["name"] = template.body["name"]
    if isinstance(content, str):
        return message_class.from_template(content, template_format="f-string", additional_kwargs=extra_fields)
    parts = [DictPromptTemplate(template=part, template_format="f-string") for part in content]
    return message_class(prompt=parts, additional_kwargs=extra_fields)


def _escape(value: Any) -> Any:
    """Return a JSON value with the braces of its texts escaped for the f-string format."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return {key: _escape(item) for key, item in value.items()} if isinstance(value, dict) else value


def _no_equivalent(path: str, message: str) -> InvalidPrompt:
    error = FieldError(path, f"{message}; render it with Promptuary instead")
    return InvalidPrompt("LangChain has no equivalent of this prompt", [error])
