"""What a prompt says, as texts for the embedder: its messages without the marks of templates, cut to what a model reads.

Measured on some sixty prompts: without the braces, and without the prompt's name and message, paraphrases come out nearest and
questions find the most; a name pulls two prompts that say the same apart. So names and tags join in only where a prompt has
hardly any words of its own.
"""

import hashlib
import re
from collections.abc import Sequence

from promptuary.prompt.content import Content

WINDOW = 1000
"""Characters of one text for the embedder: MiniLM reads 256 word pieces, which are about so many."""
WINDOWS = 8
FEW_WORDS = 5
SNIPPET = 160
_COMMENT = re.compile(r"\{\{!.*?\}\}|\{#[^}]*?#\}", re.DOTALL)
_MARK = re.compile(r"\{[{%]*[-#^/&>!]?|[-%]?\}")
_WORD = re.compile(r"\w+")
_NEXT = re.compile(r"\n+|(?<=[.!?:;])\s+")


def windows(name: str, content: Content, tags: Sequence[str] = ()) -> list[str]:
    """Give the texts whose mean vector stands for a prompt: at least one, at most `WINDOWS`, from its beginning and its end.

    Args:
        name: the prompt's name.
        content: the version.
        tags: the version's tags.
    """
    text = " ".join(" ".join(map(_plain, content.texts())).split())
    if len(_WORD.findall(text)) < FEW_WORDS:
        text = " ".join([*_WORD.findall(name), *tags, text]).strip()
    pieces = _pieces(text)
    if len(pieces) > WINDOWS:
        pieces = pieces[: WINDOWS // 2] + pieces[-WINDOWS // 2 :]
    return pieces


def digest(texts: Sequence[str]) -> str:
    """Name what was embedded, so that a version that says the same needs no new vector."""
    return "sha256:" + hashlib.sha256("\0".join(texts).encode()).hexdigest()


def snippet(content: Content, query: str) -> str:
    """Give the sentence of a prompt that shares the most words with a query, the first of several; at most `SNIPPET` long."""
    wanted = set(_WORD.findall(query.casefold()))
    sentences = [" ".join(one.split()) for text in content.texts() for one in _NEXT.split(text) if one.strip()]
    best = max(sentences, key=lambda one: len(wanted.intersection(_WORD.findall(one.casefold()))), default="")
    return best if len(best) <= SNIPPET else best[: SNIPPET - 1].rstrip() + "…"


def _plain(text: str) -> str:
    """Leave out comments and the marks of mustache, f-strings and Jinja; the names in them stay, for they are words."""
    return _MARK.sub(" ", _COMMENT.sub(" ", text))


def _pieces(text: str) -> list[str]:
    """Cut a text at spaces into pieces of at most `WINDOW` characters, all about as long."""
    count = -(-len(text) // WINDOW) or 1
    size = -(-len(text) // count)
    pieces = []
    while len(text) > size:
        end = text.rfind(" ", size // 2, size + 1)
        end = end if end > 0 else size
        pieces.append(text[:end].strip())
        text = text[end:].strip()
    return [*pieces, text] if text or not pieces else pieces
