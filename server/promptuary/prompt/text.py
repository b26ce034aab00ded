"""The rules about text and amounts of money that every part of Promptuary shares.

Refused characters: NUL and lone surrogates. No database column and no UTF-8 file takes them, so no input may have them.
Hidden characters: they are stored and rendered as they are, but where a person reads foreign text they are written as
escapes, so that two texts that differ also look different and no terminal obeys them.

The user interface cannot import this module. It keeps copies of `HIDDEN` and `format_usd`, and a test compares them.
"""

import re

REFUSED = "[\x00\ud800-\udfff]"
"""A regular expression for one character that no stored text may have: NUL, or half of a surrogate pair."""

HIDDEN = (
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and newline
    "\u00ad\u180e\u200b\u2060-\u2065\ufeff"  # without width: soft hyphen, zero-width space, joiners, byte order mark
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of reading, or its shaping
    "\u2028\u2029\ufff9-\ufffb\ufffe\uffff"  # line and paragraph separators, annotations, noncharacters
    "\ud800-\udfff\U000e0000-\U000e007f"  # lone surrogates, and tags, which can carry a whole text unseen
    "]"
)
"""A regular expression for one character that is not seen, or that changes how the text around it is shown.

Zero-width joiner and non-joiner (U+200D, U+200C) and variation selectors are not in it: Persian, Indic scripts and emoji
need them.
"""

CREDENTIAL = re.compile("pm[tsc]_")
"""The beginning of an API key, a session token or a one-time code."""

_refused = re.compile(REFUSED)
_surrogate = re.compile("[\ud800-\udfff]")
_hidden = re.compile(HIDDEN)
_hidden_or_newline = re.compile(f"{HIDDEN}|\n")


def refused_character(text: str) -> str | None:
    """Return why no stored text may be this one, as the rest of a sentence that begins with its place; None if it may.

    Args:
        text: any text that came from outside.
    """
    match = _refused.search(text)
    if match is None:
        return None
    return "has a NUL character" if match[0] == "\x00" else "has a lone surrogate, which is not a Unicode character"


def refused_position(text: str) -> int | None:
    """Return the index of the first character that no stored text may have; None if there is none."""
    match = _refused.search(text)
    return None if match is None else match.start()


def replace_refused(text: str) -> str:
    """Return the text with U+FFFD, the replacement character, in place of each refused character."""
    return _refused.sub("\ufffd", text)


def replace_surrogates(text: str) -> str:
    """Return the text with U+FFFD in place of each lone surrogate, so that it can be written as UTF-8. NUL stays."""
    return _surrogate.sub("\ufffd", text)


def show_hidden(text: str, *, newlines: bool = True) -> str:
    r"""Return the text with each hidden character as its escape, such as `\u202e`.

    Args:
        text: any text; tabs stay as they are.
        newlines: whether newlines stay too; False writes them as `\n`, for text that must fit on one line.
    """
    pattern = _hidden if newlines else _hidden_or_newline
    return pattern.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def format_usd(amount: float, *, significant_digits: int = 3) -> str:
    """Return an amount of US dollars for people: `$1,234.50`, `$0.12`, `$0.0042`, `$0.00042`.

    There are at least two decimals, and as many more as the first `significant_digits` digits need, without trailing zeros
    and without an exponent. So no amount above zero reads as zero.

    Args:
        amount: US dollars, finite.
        significant_digits: at least 1; more than 3 where two amounts close to each other are compared in one sentence.
    """
    exponent = int(f"{abs(amount):.{significant_digits - 1}e}".partition("e")[2]) if amount else 0
    decimals = max(2, significant_digits - 1 - exponent)
    whole, _, fraction = f"{abs(amount):,.{decimals}f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{fraction[:2]}{fraction[2:].rstrip('0')}"
