"""Lists of prompts as a whole, for registries that count pages."""

from collections.abc import Iterator

from promptuary.registry.service import Registry
from promptuary.registry.store import PromptFilter, PromptRecord

STEP = 1000
"""How many prompts one query reads."""


def all_prompts(registry: Registry, conditions: PromptFilter) -> Iterator[PromptRecord]:
    """Yield every prompt that meets the conditions, ordered by name."""
    cursor = None
    while True:
        prompts = registry.prompts(STEP, cursor, conditions)
        yield from prompts.items
        cursor = prompts.next_cursor
        if cursor is None:
            return
