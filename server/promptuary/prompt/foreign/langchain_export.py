"""A prompt in LangChain's form, made from the parsed tree, so that JSON braces in a prompt's text survive."""

from typing import TYPE_CHECKING, Any

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.prepared import MessageTemplate, PreparedPrompt
from promptuary.prompt.templates.tree import Literal, Node, Partial, Section, Tag
from promptuary.prompt.templates.value import to_text

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

_ROLES = {"system": "system", "user": "human", "assistant": "ai"}
_NAMES_OF_ITS_OWN = ("self", "stop")


def to_langchain(prepared: PreparedPrompt) -> "ChatPromptTemplate | PromptTemplate":
    """Give a `PromptTemplate` for a text prompt, a `ChatPromptTemplate` for a chat; both in LangChain's f-string form.

    It renders texts as we do, and fills in the defaults. What LangChain leaves out is checking the values; and a value that is
    no text is shown as Python writes it.

    Raises:
        InvalidPrompt: for a template with sections, loops or partials, which LangChain's form cannot say; render those first.
    """
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate

    if taken := [name for name in _NAMES_OF_ITS_OWN if name in prepared.variables]:
        raise InvalidPrompt(
            "LangChain has no such prompt", [FieldError(name, "is a name that LangChain keeps for itself") for name in taken]
        )
    placeholders = prepared.content.placeholders()
    unsaid = {
        name: variable.default if name in placeholders else to_text(variable.default)
        for name, variable in prepared.variables.items()
        if variable.default is not None or (not variable.required and name not in placeholders)
    }
    if prepared.content.type == "text":
        part = prepared.parts[0]
        assert isinstance(part, MessageTemplate)
        template = _f_string(part.nodes, "template")
        return PromptTemplate.from_template(template, template_format="f-string", partial_variables=unsaid)
    messages: list[Any] = []
    for number, part in enumerate(prepared.parts):
        if not isinstance(part, MessageTemplate):
            variable = prepared.variables.get(part.name)
            messages.append(MessagesPlaceholder(part.name, optional=variable is None or not variable.required))
        elif part.role not in _ROLES:
            raise InvalidPrompt(
                "LangChain has no such prompt", [FieldError(f"template.{number}.role", f"'{part.role}' has no form")]
            )
        else:
            messages.append((_ROLES[part.role], _f_string(part.nodes, f"template.{number}.content")))
    return ChatPromptTemplate(messages, template_format="f-string", partial_variables=unsaid)


def _f_string(nodes: tuple[Node, ...], path: str) -> str:
    out = []
    for node in nodes:
        if isinstance(node, Literal):
            out.append(node.text.replace("{", "{{").replace("}", "}}"))
        elif isinstance(node, Tag) and node.name.isidentifier():  # LangChain would read an index or a format in other names
            out.append("{" + node.name + "}")
        else:
            what = f"'{node.name}'" if isinstance(node, Tag | Section | Partial) else "an expression, an if or a for"
            said = f"{what} is more than a plain name in plain text; render it with Promptuary instead"
            raise InvalidPrompt("LangChain's f-string form cannot say this prompt", [FieldError(path, said)])
    return "".join(out)
