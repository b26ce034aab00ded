"""Export of a prompt as a LangChain template, built from the parsed tree so that JSON braces in the text stay braces."""

from typing import TYPE_CHECKING, Any

from promptuary.prompt.content import Placeholder
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.message_templates import MessageTemplate
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.tree import Literal, Node, Partial, Section, Tag
from promptuary.prompt.templates.value import to_text

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

_ROLES = {"system": "system", "user": "human", "assistant": "ai"}
_RESERVED_NAMES = ("self", "stop")


def to_langchain(prepared: PreparedPrompt) -> "ChatPromptTemplate | PromptTemplate":
    """Return a `PromptTemplate` for a text prompt, a `ChatPromptTemplate` for a chat; both in LangChain's f-string format.

    It renders texts as Promptuary does and fills in the defaults. LangChain does not check the values, and it formats a value
    that is not a text with Python's `str`.

    Raises:
        InvalidPrompt: the template has sections, loops or partials, which the f-string format cannot express; render it first.
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
        template = _f_string(part.nodes, "template")
        return PromptTemplate.from_template(template, template_format="f-string", partial_variables=defaults)
    messages: list[Any] = []
    for index, part in enumerate(prepared.parts):
        if isinstance(part, Placeholder):
            variable = prepared.variables.get(part.name)
            messages.append(MessagesPlaceholder(part.name, optional=variable is None or not variable.required))
        elif part.role not in _ROLES:
            raise InvalidPrompt(
                "LangChain has no equivalent of this prompt",
                [FieldError(f"template.{index}.role", f"'{part.role}' is not a role of LangChain")],
            )
        elif not isinstance(part, MessageTemplate):
            raise InvalidPrompt(
                "LangChain has no equivalent of this prompt",
                [FieldError(f"template.{index}", "has more than a role and a text; render it with Promptuary instead")],
            )
        else:
            messages.append((_ROLES[part.role], _f_string(part.nodes, f"template.{index}.content")))
    return ChatPromptTemplate(messages, template_format="f-string", partial_variables=defaults)


def _f_string(nodes: tuple[Node, ...], path: str) -> str:
    pieces = []
    for node in nodes:
        if isinstance(node, Literal):
            pieces.append(node.text.replace("{", "{{").replace("}", "}}"))
        elif isinstance(node, Tag) and node.name.isidentifier():  # LangChain reads an index or a format in other names
            pieces.append("{" + node.name + "}")
        else:
            what = f"'{node.name}'" if isinstance(node, Tag | Section | Partial) else "an expression, an if or a for"
            message = f"{what} is more than a plain name in plain text; render it with Promptuary instead"
            raise InvalidPrompt("LangChain's f-string format cannot express this prompt", [FieldError(path, message)])
    return "".join(pieces)
