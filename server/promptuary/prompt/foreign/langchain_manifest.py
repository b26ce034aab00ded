"""A prompt in the serialised form of LangChain, as data. Clients load it; nothing is ever loaded from this form here."""

from typing import Any

from promptuary.prompt.foreign.langchain_export import to_langchain
from promptuary.prompt.templates.prepared import PreparedPrompt


def langchain_manifest(prepared: PreparedPrompt) -> dict[str, Any]:
    """Return the constructors of a `ChatPromptTemplate` or `PromptTemplate` with their arguments.

    Raises:
        InvalidPrompt: as `to_langchain`, where LangChain has no equivalent of the prompt.
    """
    from langchain_core.load import dumpd

    manifest: dict[str, Any] = dumpd(to_langchain(prepared))
    return manifest
