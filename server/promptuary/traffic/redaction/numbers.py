"""Card numbers, IBANs and phone numbers in a text.

A number may be written with spaces, dots or dashes, in digits of any script. A card number must pass its check digit (Luhn,
ISO/IEC 7812-1) and an IBAN its check digits (ISO 7064, mod 97-10), so that order numbers stay. RE2 finds where a number may
be, in time that is linear in the text's length; the patterns of each number look there alone.
"""

import re
from collections.abc import Iterator

import re2

from promptuary.traffic.redaction.passage import PassageType, PersonalPassage

_SEPARATOR = r"[ \t\u00a0\u202f\u2009.\-\u2010-\u2015/]"
_DIGIT_RUN = re.compile(rf"\d(?:{_SEPARATOR}?\d){{11,}}")
"""Digits with at most one separator between two of them: at least as many as the shortest card number has."""
_NUMBER = re2.compile(r"[+(]?\p{Nd}(?:[ \t\x{a0}\x{202f}\x{2009}.\-\x{2010}-\x{2015}/()]{0,3}\p{Nd}){7,}")
_GROUP = re.compile(r"\d+")
_BETWEEN = r"(?:[^\w]{1,3}|_)"
_CARD_GROUPS = re.compile(
    rf"(?<!\d)(?:[2-6]\d{{3}}(?:{_BETWEEN}\d{{4}}){{3}}|3[47]\d{{2}}{_BETWEEN}\d{{6}}{_BETWEEN}\d{{5}}|[2-6]\d{{7}}\r?\n\d{{8}})(?!\d)"
)
"""The groups of a card number with whatever may stand between them, also the end of a line."""
CARD_DIGITS = range(12, 20)
_IBAN_START = re2.compile(r"(?:^|[^0-9A-Za-z]|(?i:iban))[A-Za-z]{2}[0-9]{2}")
HINT = r"[A-Za-z]{2}[0-9]{2}|(?:\p{Nd}\P{Nd}*){8}"
"""A text without a match of it has no number that is removed: neither the beginning of an IBAN, nor eight digits."""
_IBAN_SEPARATOR = r"[ \t\r\n\u00a0\u202f\u2009.\-\u2010-\u2015/+,;:_|\u2022]"
_IBAN = re.compile(rf"([A-Za-z]{{2}})(\d{{2}})((?:{_IBAN_SEPARATOR}{{0,3}}[0-9A-Za-z]){{11,30}})", re.ASCII)
_IBAN_SEPARATORS = re.compile(_IBAN_SEPARATOR)
_PHONE = re.compile(
    r"(?<![\w+])(?<!\d[.,])(?:"
    # with the country's code: +49 (0)170 1234567, 0049 170 1234567
    r"(?:\+|00)[ ]?[1-9]\d{0,2}(?:[ \t\u00a0\u202f.\-\u2010-\u2015/()]{0,2}\d){6,13}"
    # of North America: (555) 123-4567, 555-123-4567
    r"|(?:1[ .\-])?(?:\(\d{3}\)[ ]?|\d{3}[.\-\u2010-\u2015 ])\d{3}[.\-\u2010-\u2015 ]\d{4}"
    # with a trunk prefix: 0170 1234567, (0170) 1234567, 01 23 45 67 89
    r"|(?:\(0\d{1,4}\)|0\d{1,4})(?:[ \t\u00a0\u202f.\-\u2010-\u2015/]{0,2}\d){6,12}"
    r")(?!\w)"
)
_PHONE_DIGITS = range(9, 16)
_DATE = re.compile(r"\d{1,2}[./\-]\d{1,2}[./\-]\d{4}(?!\d)")

IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE", "BI"), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL", "FK", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK", "MN"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "TL", "SO"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
"""The characters of an IBAN by country, from the IBAN registry (SWIFT, release 99)."""


def find_numbers(text: str) -> Iterator[PersonalPassage]:
    """Yield card numbers, IBANs and phone numbers."""
    for candidate in _NUMBER.finditer(text):
        start, end = candidate.span()
        yield from _find_cards(text, start, end)
        yield from _find_phones(text, start, end)
    for match in _CARD_GROUPS.finditer(text):
        if is_card_number([int(character) for character in match[0] if character.isdecimal()]):
            yield PersonalPassage(*match.span(), PassageType.CARD)
    yield from _find_ibans(text)


def _find_cards(text: str, region_start: int, region_end: int) -> Iterator[PersonalPassage]:
    """Yield every run of whole digit groups that passes the check digit, also beside other groups of the same run."""
    for run in _DIGIT_RUN.finditer(text, region_start, region_end):
        sums = _CheckSums([int(character) for character in run[0] if character.isdecimal()])
        groups = [(run.start() + group.start(), run.start() + group.end()) for group in _GROUP.finditer(run[0])]
        yield from _cards_of_groups(sums, groups)


def _cards_of_groups(sums: "_CheckSums", groups: list[tuple[int, int]]) -> Iterator[PersonalPassage]:
    first = first_digit = 0
    while first < len(groups):
        last_digit, card_end = first_digit, None
        for index in range(first, len(groups)):
            start, end = groups[index]
            last_digit += end - start
            if last_digit - first_digit >= CARD_DIGITS.stop:
                break
            if last_digit - first_digit in CARD_DIGITS and sums.pass_check(first_digit, last_digit):
                card_end = index
        following = first + 1 if card_end is None else card_end + 1
        if card_end is not None:
            yield PersonalPassage(groups[first][0], groups[card_end][1], PassageType.CARD)
        first_digit += sum(end - start for start, end in groups[first:following])
        first = following


class _CheckSums:
    """The sums of Luhn's check over all parts of a run of digits, each in constant time."""

    def __init__(self, digits: list[int]) -> None:
        self._doubled_at: tuple[list[int], list[int]] = ([0], [0])  # by the parity of the positions that are doubled
        self._sum = [0]
        for position, digit in enumerate(digits):
            doubled = sum(divmod(2 * digit, 10))
            for parity, sums in enumerate(self._doubled_at):
                sums.append(sums[-1] + (doubled if position % 2 == parity else digit))
            self._sum.append(self._sum[-1] + digit)

    def pass_check(self, start: int, end: int) -> bool:
        """Return whether the digits from `start` to before `end` pass the check; zeros alone do not count as a number."""
        sums = self._doubled_at[end % 2]
        return self._sum[end] > self._sum[start] and (sums[end] - sums[start]) % 10 == 0


def is_card_number(digits: list[int]) -> bool:
    """Return whether digits pass the check of Luhn; zeros alone do not count as a number."""
    return _CheckSums(digits).pass_check(0, len(digits))


def _find_ibans(text: str) -> Iterator[PersonalPassage]:
    for beginning in _IBAN_START.finditer(text):
        match = _IBAN.match(text, beginning.end() - 4)
        end = _iban_end(text, match) if match else None
        if end is not None:
            yield PersonalPassage(beginning.end() - 4, end, PassageType.IBAN)


def _iban_end(text: str, match: re.Match[str]) -> int | None:
    """Return where the IBAN that begins with the match ends; None where it is none. The match may continue into other words."""
    length = IBAN_LENGTHS.get(match[1].upper())
    if length is None:
        return None
    characters, end = 4, match.start(3)
    while characters < length and end < match.end(3):
        characters += not _IBAN_SEPARATORS.match(text[end])
        end += 1
    compact = _IBAN_SEPARATORS.sub("", text[match.start() : end]).upper()
    return end if len(compact) == length and is_iban(compact) else None


def is_iban(compact: str) -> bool:
    """Return whether an IBAN without separators passes its check digits."""
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _find_phones(text: str, region_start: int, region_end: int) -> Iterator[PersonalPassage]:
    for match in _PHONE.finditer(text, region_start, min(region_end + 1, len(text))):
        digits = sum(character.isdigit() for character in match[0])
        if digits in _PHONE_DIGITS and not _DATE.match(match[0]):
            yield PersonalPassage(match.start(), match.end(), PassageType.PHONE)
