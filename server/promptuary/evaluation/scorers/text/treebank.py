"""Words as the Penn Treebank parts them, by the rules of js-rouge 3, on which promptfoo's ROUGE stands.

NLTK's tokenizers go by other rules (for quotes, for a full stop before a bracket), so that scores would differ.
"""

import re
import unicodedata

JAVASCRIPT_SPACE = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript takes for white space, for a class of a regular expression."""

_QUOTE = re.compile("``|''|\"")
_GAP = re.compile(f"[{JAVASCRIPT_SPACE}\x85]+")
_STOP = re.compile(rf"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}}>'{JAVASCRIPT_SPACE}]*)\Z", re.ASCII)
_PARTED = (
    (re.compile(r"\.{3}"), " ... "),
    (re.compile(r"[:,](?!\d)"), r" \g<0> "),
    (re.compile(r"[;@#$%&]"), r" \g<0> "),
    (_STOP, r"\1 \2\3 "),
    (re.compile(r"[?!]"), r" \g<0> "),
    (re.compile(r"[\][(){}<>]"), r" \g<0> "),
    (re.compile(r"--"), " -- "),
)
_ENDS = (
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"'([sSmMdD]) "), r" '\1 "),
    (re.compile(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r" \1 "),
)
_WORD = "[\\w\u200c\u200d]"
_CONTRACTIONS = tuple(
    re.compile(f"(?<!{_WORD}){pattern}(?!{_WORD})", re.IGNORECASE)
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
    """Part a text into words and marks; an empty text has none."""
    text = _GAP.sub(" ", text).strip(" ")
    if not text:
        return []
    text = _quoted(text)
    for pattern, replacement in _PARTED:
        text = pattern.sub(replacement, text)
    text = f" {text} "
    for pattern, replacement in _ENDS:
        text = pattern.sub(replacement, text)
    for pattern in _CONTRACTIONS:
        text = pattern.sub(r" \1 \2 ", text)
    return text.split()


def _quoted(text: str) -> str:
    """Turn double quotes into the Treebank's opening and closing ones."""
    inside = False
    found = list(_QUOTE.finditer(text))

    def mark(number: int) -> str:
        nonlocal inside
        quote, at = found[number].group(), found[number].start()
        before = text[at - 1] if at else ""
        end = at + len(quote)
        inside = quote == "``" or (
            (end < len(text) or at == 0 or before in " <" or unicodedata.category(before) == "Ps")
            and not inside
            and _may_open(text, at)
            and before not in tuple(".!?")
            and (quote == '"' or _opens_pair(text, at, found[number + 1].group() if number + 1 < len(found) else None))
        )
        return " `` " if inside else " '' "

    out, last = [], 0
    for number, match in enumerate(found):
        out += [text[last : match.start()], mark(number)]
        last = match.end()
    return "".join(out) + text[last:]


def _may_open(text: str, at: int) -> bool:
    before = text[at - 1] if at else " "
    return before in " <" or unicodedata.category(before).startswith("P") or text[max(0, at - 2) : at] == "``"


def _opens_pair(text: str, at: int, following: str | None) -> bool:
    after = text[at + 2 : at + 3]
    kind = unicodedata.category(after) if after else ""
    return at > 0 and (kind[:1] in ("L", "N") or kind in ("Sc", "Ps")) and following == "''"
