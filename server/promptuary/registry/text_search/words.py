"""The words by which a prompt is found: of its name and its content, in one form for every database.

The database's own tokenizers differ from each other, and none of them finds `退款` in `申请退款流程`, because nothing separates
the words there. So texts are cut here, and the databases only store and compare the words. A text in a script without spaces
becomes its pairs of adjacent characters, of which a query has the same ones.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

WORD_LIMIT = 64
"""The maximum length of a word; a longer one is cut off, in texts and in queries."""
WORDS_LIMIT = 50_000
"""The maximum number of different words of a prompt, which a text of 256 KiB reaches in scripts without spaces only."""
_NO_SPACES = (
    "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao and Khmer, the Japanese syllables, Korean, and the Han characters."""
_PIECE = re.compile(rf"([{_NO_SPACES}]+)|([^\W_{_NO_SPACES}]+)")
_PART_OF_IDENTIFIER = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSPOKEN_KEYS = ("role", "type")


def prompt_words(name: str, body: Mapping[str, Any]) -> list[str]:
    """Return the different words of a prompt, sorted: of its name, and of its content as JSON.

    Of the content these are the words of messages, of variables with their descriptions, of tools and schemas, of the config
    and of the model's name. Included texts and default values are left out, and so are files and images.
    """
    words = {word for text in (name, *_texts(body)) for word in _text_words(text)}
    return sorted(sorted(words)[:WORDS_LIMIT])


def query_words(text: str) -> list[str]:
    """Return the words of a query, each of which must be the beginning of a word of the prompt."""
    words: dict[str, None] = {}
    for spaceless, spaced in _PIECE.findall(_normal(text)):
        if spaced:
            words[spaced.casefold()[:WORD_LIMIT]] = None
        else:
            words.update(dict.fromkeys(_pairs(spaceless)[: max(1, len(spaceless) - 1)]))
    return list(words)


def _text_words(text: str) -> Iterator[str]:
    for spaceless, spaced in _PIECE.findall(_normal(text)):
        if spaceless:
            yield from _pairs(spaceless)
            continue
        yield spaced.casefold()[:WORD_LIMIT]
        if spaced.isascii() and not (spaced.islower() or spaced.isdigit()):  # maxTokens
            yield from (part.lower()[:WORD_LIMIT] for part in _PART_OF_IDENTIFIER.findall(spaced))


def _pairs(text: str) -> list[str]:
    """Return the pairs of adjacent characters, and the last character alone."""
    return [text[index : index + 2] for index in range(len(text))]


def _normal(text: str) -> str:
    """Return a text in the compatible form of Unicode, with Latin letters without their accents."""
    if text.isascii():
        return text
    return "".join(map(_without_accent, unicodedata.normalize("NFKC", text)))


def _without_accent(character: str) -> str:
    if character.isascii():
        return character
    letter = unicodedata.normalize("NFD", character)[0]
    return letter if letter.isascii() else character


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _strings(body.get("template"), keys=False)
    variables = body.get("variables")
    for name, variable in variables.items() if isinstance(variables, Mapping) else ():
        yield name
        if isinstance(variable, Mapping):
            yield from _strings({key: variable.get(key) for key in ("description", "enum")}, keys=False)
    for part in ("tools", "response_format", "config"):
        yield from _strings(body.get(part), keys=True)
    model = body.get("model")
    yield from _strings(model.get("name") if isinstance(model, Mapping) else None, keys=False)


def _strings(value: Any, *, keys: bool) -> Iterator[str]:
    """Yield the texts in a JSON value, with the names of its members if `keys` is set; data of files is left out."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            if keys:
                yield key
            if key not in _UNSPOKEN_KEYS and key != "data":
                yield from _strings(member, keys=keys)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, keys=keys)
