"""What worker processes of an application do with its client."""

import asyncio
from typing import Any

from promptuary import AsyncPromptuary

TRIAGE = "support.triage"


def look_up(client: Any) -> tuple[str, int | None, str]:
    """Return where the prompt came from, its version, and which client looked it up."""
    prompt = asyncio.run(client.get(TRIAGE)) if isinstance(client, AsyncPromptuary) else client.get(TRIAGE)
    return prompt.source, prompt.version, repr(client)
