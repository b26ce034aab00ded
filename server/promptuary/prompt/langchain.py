"""A prompt in LangChain's form, made from the parsed tree, so that JSON braces in a prompt's text survive."""

from typing import TYPE_CHECKING, Any

from promptuary.prompt.errors import Fault, InvalidPrompt
from promptuary.prompt.mustache import Literal, Node, Tag
from promptuary.prompt.template import Prepared, Turn

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

_ROLES = {"system": "system", "user": "human", "assistant": "ai"}


def to_langchain(prepared: Prepared) -> "ChatPromptTemplate | PromptTemplate":
    """Give a `PromptTemplate` for a text prompt, a `ChatPromptTemplate` for a chat; both in LangChain's f-string form.

    Raises:
        InvalidPrompt: for a template with sections or partials, which LangChain's form cannot say; render those first.
    """
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate

    if prepared.content.type == "text":
        part = prepared.parts[0]
        assert isinstance(part, Turn)
        return PromptTemplate.from_template(_f_string(part.nodes, "template"), template_format="f-string")
    messages: list[Any] = []
    for number, part in enumerate(prepared.parts):
        if not isinstance(part, Turn):
            variable = prepared.variables.get(part.name)
            messages.append(MessagesPlaceholder(part.name, optional=variable is None or not variable.required))
        elif part.role not in _ROLES:
            raise InvalidPrompt(
                "LangChain has no such prompt", [Fault(f"template.{number}.role", f"'{part.role}' has no form")]
            )
        else:
            messages.append((_ROLES[part.role], _f_string(part.nodes, f"template.{number}.content")))
    return ChatPromptTemplate.from_messages(messages, template_format="f-string")


def _f_string(nodes: tuple[Node, ...], path: str) -> str:
    out = []
    for node in nodes:
        if isinstance(node, Literal):
            out.append(node.text.replace("{", "{{").replace("}", "}}"))
        elif isinstance(node, Tag) and node.name.isidentifier():  # LangChain would read an index or a format in other names
            out.append("{" + node.name + "}")
        else:
            raise InvalidPrompt(
                "LangChain's f-string form cannot say this prompt",
                [Fault(path, f"'{node.name}' is a section, a partial or no plain name; render it with Promptuary instead")],
            )
    return "".join(out)
