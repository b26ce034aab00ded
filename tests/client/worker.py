"""What worker processes of an application do with its client."""

import asyncio
from typing import Any

from promptuary import AsyncPromptuary

TRIAGE = "support.triage"
client: Any = None
"""The client of an application that a pool forks; a test sets it before."""


def task(max_age: float) -> tuple[str, int | None]:
    """Return where the prompt came from, and its version, in a process of the pool."""
    prompt = client.get(TRIAGE, max_age=max_age)
    return str(prompt.source), prompt.version


def look_up(client: Any) -> tuple[str, int | None, str]:
    """Return where the prompt came from, its version, and which client looked it up."""
    prompt = asyncio.run(client.get(TRIAGE)) if isinstance(client, AsyncPromptuary) else client.get(TRIAGE)
    return prompt.source, prompt.version, repr(client)
