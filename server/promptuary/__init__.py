"""Promptuary: a self-hosted prompt registry and evaluation service.

`from promptuary import Promptuary` is the client that applications use; it is imported on first use, so that the server's
start does not pay for it.
"""

from typing import TYPE_CHECKING, Any

from promptuary.release import __version__

if TYPE_CHECKING:
    from promptuary.client import AsyncPromptuary, Prompt, Promptuary

__all__ = ["AsyncPromptuary", "Prompt", "Promptuary", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the client when one of its names is first used."""
    if name in {"AsyncPromptuary", "Prompt", "Promptuary"}:
        from promptuary import client

        return getattr(client, name)
    raise AttributeError(f"module 'promptuary' has no attribute {name!r}")
