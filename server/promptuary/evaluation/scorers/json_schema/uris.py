"""The formats of URIs, URI templates, IRIs and URLs: by their standards, and by Ajv's looser patterns."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE
from promptuary.prompt.text import replace_surrogates

TextCheck = Callable[[str], bool]


def matching(pattern: str) -> TextCheck:
    """Return a check that a whole text matches an RE2 pattern, which is compiled at the first use."""

    def check(text: str) -> bool:
        return re2_pattern.matches(_compiled(pattern), text)

    return check


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    return re2_pattern.compile_pattern(rf"\A(?:{pattern})\z", limit=20_000)


_OCTET, _AJV_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_HEX16 = r"[0-9a-fA-F]{1,4}"


def _ipv6_in_uri(octet: str) -> str:
    """Return the pattern of an IPv6 address in a URI, by RFC 3986, appendix A."""
    last32 = rf"(?:{_HEX16}:{_HEX16}|(?:{octet}\.){{3}}{octet})"
    forms = [rf"(?:{_HEX16}:){{6}}{last32}", rf"::(?:{_HEX16}:){{5}}{last32}"]
    for before, after in enumerate((4, 3, 2, 1, 0)):
        left = rf"(?:(?:{_HEX16}:){{0,{before}}}{_HEX16})?::"
        forms.append(rf"{left}(?:{_HEX16}:){{{after}}}{last32}")
    forms += [rf"(?:(?:{_HEX16}:){{0,5}}{_HEX16})?::{_HEX16}", rf"(?:(?:{_HEX16}:){{0,6}}{_HEX16})?::"]
    return "|".join(forms)


def _uri_parts(*, quotes: bool = False, slashes: str = "//", octet: str = _OCTET) -> dict[str, str]:
    """Return the patterns of a URI's parts, by RFC 3986, appendix A.

    Args:
        quotes: whether `"` may stand in them, as in Ajv's references.
        slashes: the pattern of what stands before a host; Ajv's has one slash or two.
        octet: the pattern of a part of an IPv4 address; Ajv's may begin with zeros.
    """
    extra = '"' if quotes else ""
    encoded = "%[0-9a-fA-F]{2}"
    unreserved = r"a-zA-Z0-9\-._~!$&'()*+,;="
    character = f"(?:[{unreserved}{extra}:@]|{encoded})"
    segments = f"(?:/{character}*)*"
    host = (
        rf"(?:\[(?:{_ipv6_in_uri(octet)}|[Vv][0-9a-fA-F]+\.[{unreserved}:]+)\]|(?:{octet}\.){{3}}{octet}"
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


def uri_pattern() -> str:
    """Return the pattern of a URI by RFC 3986, appendix A."""
    parts = _uri_parts()
    return rf"{parts['scheme']}(?:{parts['rooted']}|{parts['rootless']})?{parts['rest']}"


def uri_reference_pattern() -> str:
    """Return the pattern of a URI or a reference relative to one, by RFC 3986, appendix A."""
    parts = _uri_parts()
    return rf"(?:{uri_pattern()}|(?:{parts['rooted']}|{parts['without colon']})?{parts['rest']})"


_INTERNATIONAL = re.compile(
    "[\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
    + "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 14))
    + "\U000e1000-\U000efffd]"
)
"""The characters beyond ASCII of RFC 3987."""
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
"""The further ones that a query may have there."""


def international(check_uri: TextCheck) -> TextCheck:
    """Return the check of IRIs, by RFC 3987: URIs once their characters beyond ASCII are encoded."""

    def check(text: str) -> bool:
        before, mark, query = text.partition("?")
        query, fragment_mark, fragment = query.partition("#")
        encoded = f"{before}{mark}{_PRIVATE.sub('%20', query)}{fragment_mark}{fragment}"
        return check_uri(_INTERNATIONAL.sub("%20", encoded))

    return check


def ajv_uri_pattern(*, relative: bool) -> str:
    """Return the pattern that Ajv has for a URI, which needs a path or a host there, or for a reference."""
    parts = _uri_parts(quotes=relative, slashes="/?/", octet=_AJV_OCTET)
    scheme, path = parts["scheme"], f"(?:{parts['rooted']}|{parts['rootless']})"
    return rf"(?:{scheme})?{path}?{parts['rest']}" if relative else rf"{scheme}{path}{parts['rest']}"


def _uri_template(*, literal: str, name: str) -> str:
    """Return the pattern of a URI template, by RFC 6570.

    Args:
        literal: the pattern of a character outside expressions.
        name: the pattern of a variable's name.
    """
    variable = rf"{name}(?::[1-9][0-9]{{0,3}}|\*)?"
    return rf"(?:{literal}|%[0-9a-fA-F]{{2}}|\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\}})*"


_NAME = r"(?:[A-Za-z0-9_]|%[0-9a-fA-F]{2})+"
URI_TEMPLATE = _uri_template(literal=r"[^\x00-\x20\"<>%\\^`{|}\x7f]", name=rf"{_NAME}(?:\.{_NAME})*")
AJV_URI_TEMPLATE = _uri_template(literal=r"[^\x00-\x20\"'<>%\\^`{|}]", name=_NAME)
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


def is_url(text: str) -> bool:
    """Check a URL of the public web, as Ajv does: no address of a local network, and a name with a dot."""
    if re2_pattern.matches(_compiled(_URL_NAMED), text):
        return True
    numbered = _compiled(_URL_NUMBERED).search(replace_surrogates(text))
    return numbered is not None and _LOCAL_ADDRESS.match(numbered.group(1)) is None
