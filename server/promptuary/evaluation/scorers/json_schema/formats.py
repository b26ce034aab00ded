"""The formats of JSON Schema as checks: those of Ajv for promptfoo's files, and those of the standards for other suites.

Where the two agree there is one check. The patterns are RE2's, so that none takes long. Differences are Ajv's: it takes a
space between date and time and an offset of hours alone, any line of base64 as `byte`, and `"` in references.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE, InvalidPattern
from promptuary.evaluation.scorers.patterns.pattern import compile_javascript
from promptuary.prompt.errors import Invalid
from promptuary.prompt.text import replace_surrogates

TextCheck = Callable[[str], bool]
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
    hour, minute, second = int(match.group(1)), int(match.group(2)), float(match.group(3))
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
    return not text.endswith(".") and _is_hostname(text)


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
        idna.encode(text, strict=True)
    except (idna.IDNAError, UnicodeError):
        return False
    return True


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


def _matching(pattern: str) -> TextCheck:
    """Return a check that a whole text matches an RE2 pattern, which is compiled at the first use."""

    def check(text: str) -> bool:
        return re2_pattern.matches(_compiled(pattern), text)

    return check


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    return re2_pattern.compile_pattern(rf"\A(?:{pattern})\z", limit=20_000)


def _is_iri(text: str, *, relative: bool) -> bool:
    from rfc3987_syntax import is_valid_syntax

    return bool(is_valid_syntax("iri_reference" if relative else "iri", text))


_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_HEX16 = r"[0-9a-fA-F]{1,4}"
_LAST32 = rf"(?:{_HEX16}:{_HEX16}|(?:{_OCTET}\.){{3}}{_OCTET})"


def _ipv6_in_uri() -> str:
    """Return the pattern of an IPv6 address in a URI, by RFC 3986, appendix A."""
    forms = [rf"(?:{_HEX16}:){{6}}{_LAST32}", rf"::(?:{_HEX16}:){{5}}{_LAST32}"]
    for before, after in enumerate((4, 3, 2, 1, 0)):
        left = rf"(?:(?:{_HEX16}:){{0,{before}}}{_HEX16})?::"
        forms.append(rf"{left}(?:{_HEX16}:){{{after}}}{_LAST32}")
    forms += [rf"(?:(?:{_HEX16}:){{0,5}}{_HEX16})?::{_HEX16}", rf"(?:(?:{_HEX16}:){{0,6}}{_HEX16})?::"]
    return "|".join(forms)


def _uri_parts(*, quotes: bool = False, slashes: str = "//") -> dict[str, str]:
    """Return the patterns of a URI's parts, by RFC 3986, appendix A.

    Args:
        quotes: whether `"` may stand in them, as in Ajv's references.
        slashes: the pattern of what stands before a host; Ajv's has one slash or two.
    """
    extra = '"' if quotes else ""
    encoded = "%[0-9a-fA-F]{2}"
    unreserved = r"a-zA-Z0-9\-._~!$&'()*+,;="
    character = f"(?:[{unreserved}{extra}:@]|{encoded})"
    segments = f"(?:/{character}*)*"
    host = (
        rf"(?:\[(?:{_ipv6_in_uri()}|[Vv][0-9a-fA-F]+\.[{unreserved}:]+)\]|(?:{_OCTET}\.){{3}}{_OCTET}"
        rf"|(?:[{unreserved}{extra}]|{encoded})*)"
    )
    authority = rf"{slashes}(?:(?:[{unreserved}:]|{encoded})*@)?{host}(?::\d*)?{segments}"
    return {
        "scheme": r"[a-zA-Z][a-zA-Z0-9+\-.]*:",
        "rooted": rf"{authority}|/(?:{character}+{segments})?",
        "rootless": rf"{character}+{segments}",
        "without colon": rf"(?:[{unreserved}@]|{encoded})+{segments}",
        "rest": rf"(?:\?(?:{character}|[/?])*)?(?:#(?:{character}|[/?])*)?",
    }


def _uri() -> str:
    """Return the pattern of a URI by RFC 3986, appendix A."""
    parts = _uri_parts()
    return rf"{parts['scheme']}(?:{parts['rooted']}|{parts['rootless']})?{parts['rest']}"


def _uri_reference() -> str:
    """Return the pattern of a URI or a reference relative to one, by RFC 3986, appendix A."""
    parts = _uri_parts()
    return rf"(?:{_uri()}|(?:{parts['rooted']}|{parts['without colon']})?{parts['rest']})"


def _ajv_uri(*, relative: bool) -> str:
    """Return the pattern that Ajv has for a URI, which needs a path or a host there, or for a reference."""
    parts = _uri_parts(quotes=relative, slashes="/?/")
    scheme, path = parts["scheme"], f"(?:{parts['rooted']}|{parts['rootless']})"
    return rf"(?:{scheme})?{path}?{parts['rest']}" if relative else rf"{scheme}{path}{parts['rest']}"


_NAME = r"(?:[A-Za-z0-9_]|%[0-9a-fA-F]{2})+"
_VARIABLE = rf"{_NAME}(?::[1-9][0-9]{{0,3}}|\*)?"
_URI_TEMPLATE = (
    r"(?:[^\x00-\x20\"'<>%\\^`{|}]|%[0-9a-fA-F]{2}"
    rf"|\{{[+#./;?&=,!@|]?{_VARIABLE}(?:,{_VARIABLE})*\}})*"
)
_POINTER = r"(?:/(?:[^~/]|~0|~1)*)*"
_DURATION = r"P(?:(?:\d+Y(?:\d+M)?(?:\d+D)?|\d+M(?:\d+D)?|\d+D)(?:T{time})?|T{time}|\d+W)".replace(
    "{time}", r"(?:\d+H(?:\d+M)?(?:\d+S)?|\d+M(?:\d+S)?|\d+S)"
)
_URL_LETTER = r"[a-zA-Z0-9\x{a1}-\x{ffff}]"
_URL_NAME = rf"(?:{_URL_LETTER}+-)*{_URL_LETTER}+"
_URL_REST = rf"(?::\d{{2,5}})?(?:/[^{JAVASCRIPT_SPACE}]*)?"
_URL_BEGINNING = rf"(?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://(?:[^{JAVASCRIPT_SPACE}]+@)?"
_URL_NAMED = rf"{_URL_BEGINNING}{_URL_NAME}(?:\.{_URL_NAME})*\.[a-zA-Z\x{{a1}}-\x{{ffff}}]{{2,}}{_URL_REST}"
_URL_NUMBERED = (
    rf"{_URL_BEGINNING}((?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{{1,2}}|2[0-4]\d|25[0-5])){{2}}"
    rf"\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])){_URL_REST}"
)
_LOCAL_ADDRESS = re.compile(r"(?:10|127)\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.")


def _is_url(text: str) -> bool:
    """Check a URL of the public web, as Ajv does: no address of a local network, and a name with a dot."""
    if re2_pattern.matches(_compiled(_URL_NAMED), text):
        return True
    numbered = _compiled(_URL_NUMBERED).search(replace_surrogates(text))
    return numbered is not None and _LOCAL_ADDRESS.match(numbered.group(1)) is None


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
    "duration": Format(_matching(_DURATION)),
    "uri-template": Format(_matching(_URI_TEMPLATE)),
    "url": Format(_is_url),
    "ipv4": Format(_is_ipv4),
    "ipv6": Format(_is_ipv6),
    "json-pointer": Format(_matching(_POINTER)),
    "json-pointer-uri-fragment": Format(_matching(r"#(?:/(?:[a-zA-Z0-9_\-.!$&'()*+,;:=@]|%[0-9a-fA-F]{2}|~0|~1)*)*")),
    "relative-json-pointer": Format(_matching(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})")),
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
    "email": Format(_matching(_AJV_EMAIL)),
    "hostname": Format(_is_hostname),
    "uri": Format(_matching(_ajv_uri(relative=False))),
    "uri-reference": Format(_matching(_ajv_uri(relative=True))),
    "uuid": Format(_matching(rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?{_UUID}")),
    "regex": Format(_is_pattern_for_ajv),
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
    "uri": Format(_matching(_uri())),
    "uri-reference": Format(_matching(_uri_reference())),
    "iri": Format(lambda text: _is_iri(text, relative=False)),
    "iri-reference": Format(lambda text: _is_iri(text, relative=True)),
    "uuid": Format(_matching(_UUID)),
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
