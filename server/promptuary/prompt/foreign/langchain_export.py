"""Export of a prompt as a LangChain template, built from the parsed tree so that JSON braces in the text stay braces."""

from typing import TYPE_CHECKING, Any

from promptuary.prompt.content import Placeholder
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.foreign.langchain_message_export import f_string, langchain_message
from promptuary.prompt.templates.message_templates import MessageTemplate
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.value import to_text

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

_RESERVED_NAMES = ("self", "stop")


def to_langchain(prepared: PreparedPrompt) -> "ChatPromptTemplate | PromptTemplate":
    """Return a `PromptTemplate` for a text prompt, a `ChatPromptTemplate` for a chat; both in LangChain's f-string format.

    It renders texts as Promptuary does and fills in the defaults. LangChain does not check the values, and it formats a value
    that is not a text with Python's `str`.

    Raises:
        InvalidPrompt: the template has sections, loops or partials, which the f-string format cannot express; or tool calls
            or results of tools with variables, for which LangChain has no template. Render it first.
    """
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate

    if reserved := [name for name in _RESERVED_NAMES if name in prepared.variables]:
        raise InvalidPrompt(
            "LangChain has no equivalent of this prompt",
            [FieldError(name, "is a name that LangChain reserves") for name in reserved],
        )
    placeholders = prepared.content.placeholders()
    defaults = {
        name: variable.default if name in placeholders else to_text(variable.default)
        for name, variable in prepared.variables.items()
        if variable.default is not None or (not variable.required and name not in placeholders)
    }
    if prepared.content.type == "text":
        part = prepared.parts[0]
        assert isinstance(part, MessageTemplate)
        template = f_string(part.nodes, "template")
        return PromptTemplate.from_template(template, template_format="f-string", partial_variables=defaults)
    messages: list[Any] = []
    for index, part in enumerate(prepared.parts):
        if isinstance(part, Placeholder):
            variable = prepared.variables.get(part.name)
            messages.append(MessagesPlaceholder(part.name, optional=variable is None or not variable.required))
        else:
            messages.append(langchain_message(part, f"template.{index}"))
    return ChatPromptTemplate(messages, template_format="f-string", partial_variables=defaults)
