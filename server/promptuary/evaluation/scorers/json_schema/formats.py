"""The formats of JSON Schema as checks: those of Ajv for promptfoo's files, and those of the standards for other suites.

Where the two agree there is one check. The patterns are RE2's, so that none takes long. Differences are Ajv's: it takes a
space between date and time and an offset of hours alone, any line of base64 as `byte`, and `"` in references.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from promptuary.evaluation.scorers.json_schema.uris import (
    AJV_URI_TEMPLATE,
    URI_TEMPLATE,
    TextCheck,
    ajv_uri_pattern,
    international,
    is_url,
    matching,
    uri_pattern,
    uri_reference_pattern,
)
from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE, InvalidPattern
from promptuary.evaluation.scorers.patterns.pattern import compile_javascript
from promptuary.prompt.errors import Invalid

NumberCheck = Callable[[float], bool]


@dataclass(frozen=True)
class Format:
    """A check of a format.

    Attributes:
        check_text: of strings; None where the format is not about them.
        check_number: of numbers; None where the format is not about them.
    """

    check_text: TextCheck | None = None
    check_number: NumberCheck | None = None

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value has the format; a value of a type that the format is not about has it."""
        if isinstance(value, str):
            return self.check_text is None or self.check_text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.check_number is None or self.check_number(value)
        return True


_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:([zZ])|([+-])(\d\d)(?:(:?)(\d\d))?)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME_SEPARATORS = re.compile(f"[tT{JAVASCRIPT_SPACE}]")
_LINE_ENDS = re.compile("[\n\r\u2028\u2029]")
_BASE64_LINE = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PYTHON_END = re.compile(r"[^\\]\\Z")
_QUOTED_LOCAL = re.compile(r'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"')
_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_HOSTNAME_LIMIT = 253
_DOTS = (".", "\u3002", "\uff0e", "\uff61")
"""The characters that separate the labels of an international host name."""
_INT32 = 2**31


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    year, month, day = (int(part) for part in text.split("-"))
    try:
        date(year or 4, month, day)  # Python knows no year 0, which is a leap year, as year 4 is
    except ValueError:
        return False
    return True


def _is_time(text: str, *, offset: bool, strict: bool) -> bool:
    """Check a time of day.

    Args:
        text: the time.
        offset: whether it must have an offset from UTC.
        strict: whether an offset must have minutes behind a colon, as RFC 3339 has it.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    utc, sign, colon, minutes_offset = match.group(4), match.group(5), match.group(7), match.group(8)
    if (offset and not (utc or sign)) or (strict and sign and not (colon and minutes_offset)):
        return False
    hour, minute = int(match.group(1)), int(match.group(2))
    second = int(match.group(3)[:2]) if strict else float(match.group(3))  # Ajv's number rounds a long fraction up
    offset_hours, offset_minutes = int(match.group(6) or 0), int(minutes_offset or 0)
    if offset_hours > 23 or offset_minutes > 59:
        return False
    if hour <= 23 and minute <= 59 and second < 60:
        return True
    direction = -1 if sign == "-" else 1  # a leap second is the last one of a day of UTC
    utc_minute = minute - offset_minutes * direction
    utc_hour = hour - offset_hours * direction - (utc_minute < 0)
    in_range = hour <= 23 and minute <= 59 if strict else True
    return in_range and utc_hour in (23, -1) and utc_minute in (59, -1) and second < 61


def _is_date_time(text: str, *, offset: bool, strict: bool) -> bool:
    parts = re.split("[tT]", text) if strict else _DATE_TIME_SEPARATORS.split(text)
    return len(parts) == 2 and _is_date(parts[0]) and _is_time(parts[1], offset=offset, strict=strict)


def _is_byte_for_ajv(text: str) -> bool:
    return any(_BASE64_LINE.fullmatch(line) for line in _LINE_ENDS.split(text))


def _is_pattern(text: str, *, unicode: bool) -> bool:
    """Check a pattern of JavaScript.

    Raises:
        Invalid: for one that is too long to be checked.
    """
    try:
        compile_javascript(text, unicode=unicode)
    except InvalidPattern:
        return False
    return True


def _is_pattern_for_ajv(text: str) -> bool:
    return _PYTHON_END.search(text) is None and _is_pattern(text, unicode=False)


def _is_hostname(text: str) -> bool:
    return bool(_HOSTNAME.fullmatch(text)) and len(text.removesuffix(".")) <= _HOSTNAME_LIMIT


def _is_standard_hostname(text: str) -> bool:
    if text.endswith(".") or not _is_hostname(text):
        return False
    return "xn--" not in text.lower() or _is_international_hostname(text)


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED_LOCAL.fullmatch(local)):
        return False
    if domain.startswith("[") and domain.endswith("]"):
        literal = domain[1:-1]
        return _is_ipv6(literal[5:]) if literal[:5].lower() == "ipv6:" else _is_ipv4(literal)
    return _is_standard_hostname(domain)


def _is_international_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local) and not re.search(r"[\s@]", local) and _is_international_hostname(domain)


def _is_international_hostname(text: str) -> bool:
    import idna

    try:
        idna.encode(text)
    except (idna.IDNAError, UnicodeError):
        return False
    return not text.endswith(_DOTS)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False


_POINTER = r"(?:/(?:[^~/]|~0|~1)*)*"
_TIME_UNITS = r"(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)"
_DURATION = rf"P(?:(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:T{_TIME_UNITS})?|T{_TIME_UNITS}|\d+W)"
"""A duration by RFC 3339, appendix A, which leaves out no unit between two."""
_AJV_TIME_UNITS = r"(?:\d+H(?:\d+M)?(?:\d+S)?|\d+M(?:\d+S)?|\d+S)"
_AJV_DURATION = rf"P(?:(?:\d+Y(?:\d+M)?(?:\d+D)?|\d+M(?:\d+D)?|\d+D)(?:T{_AJV_TIME_UNITS})?|T{_AJV_TIME_UNITS}|\d+W)"


def _is_integer(number: float) -> bool:
    return isinstance(number, int) or number.is_integer()


def _is_int32(number: float) -> bool:
    return _is_integer(number) and -_INT32 <= number < _INT32


def _anything(text: str) -> bool:
    return True


def _any_number(number: float) -> bool:
    return True


_SHARED: Mapping[str, Format] = {
    "date": Format(_is_date),
    "url": Format(is_url),
    "ipv4": Format(_is_ipv4),
    "ipv6": Format(_is_ipv6),
    "json-pointer": Format(matching(_POINTER)),
    "json-pointer-uri-fragment": Format(matching(r"#(?:/(?:[a-zA-Z0-9_\-.!$&'()*+,;:=@]|%[0-9a-fA-F]{2}|~0|~1)*)*")),
    "relative-json-pointer": Format(matching(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})")),
    "int32": Format(check_number=_is_int32),
    "int64": Format(check_number=_is_integer),
    "float": Format(check_number=_any_number),
    "double": Format(check_number=_any_number),
    "password": Format(_anything),
    "binary": Format(_anything),
    "iso-time": Format(lambda text: _is_time(text, offset=False, strict=False)),
    "iso-date-time": Format(lambda text: _is_date_time(text, offset=False, strict=False)),
}
_AJV_EMAIL = rf"{_ATOM}(?:\.{_ATOM})*@(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
AJV_FORMATS: Mapping[str, Format] = {
    **_SHARED,
    "time": Format(lambda text: _is_time(text, offset=True, strict=False)),
    "date-time": Format(lambda text: _is_date_time(text, offset=True, strict=False)),
    "email": Format(matching(_AJV_EMAIL)),
    "hostname": Format(_is_hostname),
    "uri": Format(matching(ajv_uri_pattern(relative=False))),
    "uri-reference": Format(matching(ajv_uri_pattern(relative=True))),
    "uuid": Format(matching(rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?{_UUID}")),
    "regex": Format(_is_pattern_for_ajv),
    "duration": Format(matching(_AJV_DURATION)),
    "uri-template": Format(matching(AJV_URI_TEMPLATE)),
    "byte": Format(_is_byte_for_ajv),
}
"""The formats of ajv-formats."""
STANDARD_FORMATS: Mapping[str, Format] = {
    **_SHARED,
    "time": Format(lambda text: _is_time(text, offset=True, strict=True)),
    "date-time": Format(lambda text: _is_date_time(text, offset=True, strict=True)),
    "email": Format(_is_email),
    "idn-email": Format(_is_international_email),
    "hostname": Format(_is_standard_hostname),
    "idn-hostname": Format(_is_international_hostname),
    "uri": Format(matching(uri_pattern())),
    "uri-reference": Format(matching(uri_reference_pattern())),
    "iri": Format(international(matching(uri_pattern()))),
    "iri-reference": Format(international(matching(uri_reference_pattern()))),
    "duration": Format(matching(_DURATION)),
    "uri-template": Format(matching(URI_TEMPLATE)),
    "uuid": Format(matching(_UUID)),
    "regex": Format(lambda text: _is_pattern(text, unicode=True)),
    "byte": Format(lambda text: bool(_BASE64_LINE.fullmatch(text))),
}
"""The formats of JSON Schema 2020-12, by their standards, and further ones of OpenAPI and Ajv."""


def find_format(name: str, formats: Mapping[str, Format]) -> Format:
    """Return a format by its name.

    Raises:
        Invalid: for a format that is not known, since a check that is left out passes everything.
    """
    if name not in formats:
        raise Invalid(f"the schema has the format '{name}', which is not known; known are {', '.join(sorted(formats))}")
    return formats[name]
