"""Words as the Penn Treebank separates them, by the rules of js-rouge 3, which promptfoo's ROUGE uses.

Why own code: NLTK's Treebank tokenizers have other rules (for quotes, for a full stop before a bracket), so that scores would
differ from promptfoo's.
"""

import re
import unicodedata
from itertools import zip_longest

from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE

_QUOTE = re.compile("``|''|\"")
_GAP = re.compile(f"[{JAVASCRIPT_SPACE}\x85]+")
_FULL_STOP = re.compile(rf"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}}>'{JAVASCRIPT_SPACE}]*)\Z", re.ASCII)
_SEPARATED = (
    (re.compile(r"\.{3}"), " ... "),
    (re.compile(r"[:,](?!\d)"), r" \g<0> "),
    (re.compile(r"[;@#$%&]"), r" \g<0> "),
    (_FULL_STOP, r"\1 \2\3 "),
    (re.compile(r"[?!]"), r" \g<0> "),
    (re.compile(r"[\][(){}<>]"), r" \g<0> "),
    (re.compile(r"--"), " -- "),
)
_ENDINGS = (
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"'([sSmMdD]) "), r" '\1 "),
    (re.compile(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r" \1 "),
)
_WORD_CHARACTER = "[\\w\u200c\u200d]"
_CONTRACTIONS = tuple(
    re.compile(f"(?<!{_WORD_CHARACTER}){pattern}(?!{_WORD_CHARACTER})", re.IGNORECASE)
    for pattern in (
        "(can)(not)",
        "(d)('ye)",
        "(gim)(me)",
        "(gon)(na)",
        "(got)(ta)",
        "(lem)(me)",
        "(more)('n)",
        "(wan)(na)(?= )",
        "('t)(is)",
        "('t)(was)",
    )
)


def tokenize(text: str) -> list[str]:
    """Return the words and punctuation marks of a text; an empty text has none."""
    text = _GAP.sub(" ", text).strip(" ")
    if not text:
        return []
    text = _replace_quotes(text)
    for pattern, replacement in _SEPARATED:
        text = pattern.sub(replacement, text)
    text = f" {text} "
    for pattern, replacement in _ENDINGS:
        text = pattern.sub(replacement, text)
    for pattern in _CONTRACTIONS:
        text = pattern.sub(r" \1 \2 ", text)
    return text.split()


def _replace_quotes(text: str) -> str:
    """Replace double quotes by the Treebank's opening and closing ones."""
    quotes = list(_QUOTE.finditer(text))
    parts, last, inside = [], 0, False
    for quote, following in zip_longest(quotes, quotes[1:]):
        inside = quote.group() == "``" or (not inside and _opens(text, quote, following))
        parts += [text[last : quote.start()], " `` " if inside else " '' "]
        last = quote.end()
    return "".join(parts) + text[last:]


def _opens(text: str, quote: re.Match[str], following: re.Match[str] | None) -> bool:
    """Return whether a quote opens a quotation, by the characters around it; `following` is the next quote."""
    before = text[quote.start() - 1] if quote.start() else " "
    at_end = quote.end() == len(text)
    if before in ".!?" or (at_end and before not in " <" and unicodedata.category(before) != "Ps"):
        return False
    after_opening = text[max(0, quote.start() - 2) : quote.start()] == "``"
    if before not in " <" and not unicodedata.category(before).startswith("P") and not after_opening:
        return False
    return quote.group() == '"' or (following is not None and following.group() == "''" and _opens_pair(text, quote))


def _opens_pair(text: str, quote: re.Match[str]) -> bool:
    """Return whether two single quotes stand before a letter, a digit, a currency sign or an opening bracket."""
    after = text[quote.start() + 2 : quote.start() + 3]
    category = unicodedata.category(after) if after else ""
    return quote.start() > 0 and (category[:1] in ("L", "N") or category in ("Sc", "Ps"))
