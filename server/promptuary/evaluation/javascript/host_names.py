"""What scripts have in Node or a browser and not here: found by name, so that a suite is refused before the first call."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from promptuary.evaluation.javascript.words import Word, words_of

_NO_MODULES = "loads a module; only the file itself is run, so write what it needs into it"
_NO_NETWORK = "reaches the network, which a script cannot; use a webhook, or a target"
_NO_SYSTEM = "reaches the system or its environment, which a script cannot; pass values as variables or `config`"
_NO_NODE = "belongs to Node and not to the language"
_NO_LOCALE = "depends on languages and countries, whose data is not here; compare or format by code of your own"

HOST_NAMES: Mapping[str, str] = {
    "require": _NO_MODULES,
    "__dirname": _NO_SYSTEM,
    "__filename": _NO_SYSTEM,
    "fetch": _NO_NETWORK,
    "XMLHttpRequest": _NO_NETWORK,
    "WebSocket": _NO_NETWORK,
    "Buffer": _NO_NODE,
    "URL": _NO_NODE,
    "URLSearchParams": _NO_NODE,
    "TextEncoder": _NO_NODE,
    "TextDecoder": _NO_NODE,
    "structuredClone": _NO_NODE,
    "crypto": _NO_NODE,
    "WebAssembly": _NO_NODE,
    "Worker": _NO_NODE,
    "setInterval": _NO_NODE,
    "setImmediate": _NO_NODE,
    "Intl": _NO_LOCALE,
}
"""Names that stand alone, and what to do instead."""
LOCALE_METHODS = ("localeCompare", "toLocaleString", "toLocaleDateString", "toLocaleTimeString")
"""Methods that are there and answer without regard to the locale: a wrong result, so they are refused."""
_DECLARING = frozenset({"const", "let", "var", "function", "class", "import"})


def host_name_error(source: str) -> str | None:
    """Return what a script needs that is not here, with the remedy; None where nothing is known.

    A name after `typeof` or a dot, as a key, or declared in the script itself counts for nothing.
    """
    words = list(words_of(source))
    declared = {second.text for first, second in pairwise(words) if first.text in _DECLARING}
    for place, word in enumerate(words):
        previous, following = _text(words, place - 1), _text(words, place + 1)
        if word.text in LOCALE_METHODS and previous in (".", "?."):
            return f"`{word.text}` {_NO_LOCALE}"
        if word.text == "import" and previous not in (".", "?.") and following not in (":", "."):
            return f"`import` {_NO_MODULES}"
        if previous in (".", "?.", "typeof") or word.text in declared:
            continue
        if word.text == "process" and following in (".", "?.", "["):
            name = _text(words, place + 2)
            return f"`process{f'.{name}' if name.isidentifier() else ''}` {_NO_SYSTEM}"
        if word.text in HOST_NAMES and not (following == ":" and previous in ("{", ",")):
            return f"`{word.text}` {HOST_NAMES[word.text]}"
    return None


def _text(words: Sequence[Word], place: int) -> str:
    return words[place].text if 0 <= place < len(words) else ""
