"""Names of prompts as another registry's SDK gave them, beside the folded names under which they live here."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict
from promptuary.prompt.name import fold_name, is_name
from promptuary.registry import store
from promptuary.registry.store import PromptRecord


def find_given_name(unit: UnitOfWork, given_name: str) -> str | None:
    """Return the name of the prompt that was created under exactly this name; None if there is none."""
    return store.find_given_name(unit.session, unit.caller.project, given_name)


def resolve_name(unit: UnitOfWork, given_name: str) -> str:
    """Return the name of the prompt that a foreign name means: the one created under it, or the one onto which it folds.

    Args:
        unit: the transaction.
        given_name: any text.

    Returns:
        the name, whether there is such a prompt or not; it is not valid where no character of the given name remains.
    """
    return find_given_name(unit, given_name) or fold_name(given_name)


def require_given_name(prompt: PromptRecord, given_name: str) -> None:
    """Check that a prompt was not created under another name that folds onto the same.

    Raises:
        Conflict: with both names.
    """
    if prompt.given_name is not None and given_name != prompt.given_name:
        raise Conflict(
            f"the names '{given_name}' and '{prompt.given_name}' are both '{prompt.name}' here, and the prompt was created "
            f"as '{prompt.given_name}'; use that name, or choose one that differs in more than signs, spaces and case"
        )


def claim_given_name(unit: UnitOfWork, prompt: PromptRecord, given_name: str) -> PromptRecord:
    """Store the name under which a locked prompt is registered, where it has none.

    A prompt that was registered here under its own name keeps that name free for another one which folds onto it.

    Raises:
        Conflict: when the prompt was created under another name, or another prompt has the name.
    """
    require_given_name(prompt, given_name)
    owner = store.find_given_name(unit.session, unit.caller.project, given_name)
    if owner is None and given_name != prompt.name and is_name(given_name):
        named = store.find_prompt(unit.session, unit.caller.project, given_name)
        owner = named.name if named else None
    if owner not in (None, prompt.name):
        raise Conflict(f"the name '{given_name}' is that of the prompt '{owner}' here; one name cannot mean two prompts")
    if prompt.given_name is not None or (prompt.newest and given_name == prompt.name):
        return prompt
    return store.set_given_name(unit.session, prompt, given_name)
