"""What identifies a case beyond one dataset: its input. Pure."""

import hashlib
import json
from typing import Any

from promptuary.evaluation.case import Case


def input_key(variables: Any, turns: list[Any] | None = None) -> str:
    """Return the digest of an input: equal inputs have equal keys, whatever their ids, datasets and expected outputs are."""
    body = {"vars": variables, **({"turns": turns} if turns else {})}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def case_key(case: Case) -> str:
    """Return the key of a case's input: its variables and, of a conversation, what the user's turns send."""
    return input_key(dict(case.vars), [{"user": turn.user, "vars": dict(turn.vars)} for turn in case.turns])
