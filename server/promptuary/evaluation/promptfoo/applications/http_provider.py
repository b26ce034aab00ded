"""promptfoo's HTTP provider as a request of ours."""

import re
from typing import Any

from promptuary.evaluation.applications.spec import PROMPTFOO
from promptuary.evaluation.promptfoo.files import is_code, is_reference
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.template import convert_template, is_plain

_CARRIED = ("url", "method", "headers", "body", "queryParams", "transformResponse", "validateStatus", "transformRequest")
_OF_RAW = ("request", "useHttps")
_RENAMED = {"responseParser": "transformResponse", "responseTransform": "transformResponse"}
_LEFT = {
    "maxRetries": "requests are repeated as those to models are",
    "tokenEstimation": "tokens that an application does not state are not known",
    "stateful": "every case stands alone here",
}
_DUMP = re.compile(r"\|\s*dump\b")
_REQUEST_LINE = re.compile(r"^([A-Z]+)\s+(\S.*?)(?:\s+HTTP/[\d.]+)?\s*$")
_MANAGED = ("host", "content-length", "connection", "transfer-encoding", "accept-encoding")


def http_target(address: str | None, config: RawObject, report: TranslationReport, place: str) -> RawObject:
    """Return a request of ours.

    Args:
        address: the provider's id where it is one.
        config: the provider's settings.
        report: records the outcome of each.
        place: of the provider.

    Raises:
        Unsupported: for a setting that is not supported, or without what a request needs.
    """
    config = {_RENAMED.get(key, key): value for key, value in config.items()}
    for key in config:
        if key in (*_CARRIED, *_OF_RAW):
            report.carry("provider config", key, place)
        elif key in _LEFT:
            report.leave("provider config", key, _LEFT[key], place)
        elif key == "timeout":
            report.leave("provider config", key, "PROMPTUARY_CASE_TIMEOUT limits each case", place)
        else:
            raise Unsupported(f"has the setting `{key}`, which a request here does not have; it has {', '.join(_CARRIED)}")
    parts = _raw_parts(config) if "request" in config else _parts(address, config)
    spec = _in_one_format({name: value for name, value in parts.items() if value not in (None, {})})
    for name, key in (("output", "transformResponse"), ("status", "validateStatus"), ("request", "transformRequest")):
        if key in config:
            spec[name] = {"expression": _code(config[key], key)}
    return {**spec, "semantics": PROMPTFOO}


def _parts(address: str | None, config: RawObject) -> RawObject:
    url, method, body = config.get("url") or address, config.get("method"), config.get("body")
    if not isinstance(url, str):
        raise Unsupported("has no `url`")
    method = method.upper() if isinstance(method, str) else None
    if body is None and method != "GET":
        raise Unsupported("has no `body`, which every method but GET needs")
    return {
        "url": url,
        "method": method or "GET",
        "headers": _texts(config.get("headers"), "headers"),
        "query": _texts(config.get("queryParams"), "queryParams"),
        "body": body if method else None,  # no method but a body is a GET without body, as there
    }


def _texts(value: Any, key: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str | int | float | bool) for item in value.values()):
        raise Unsupported(f"has `{key}` that are no texts")
    return {str(name): item if isinstance(item, str) else str(item).lower() for name, item in value.items()}


def _raw_parts(config: RawObject) -> RawObject:
    """Return the parts of a request that is written as HTTP/1.1 has it."""
    request = config["request"]
    if not isinstance(request, str):
        raise Unsupported("has a `request` that is no text")
    head, _, body = request.replace("\r\n", "\n").strip("\n").partition("\n\n")
    first, *lines = head.split("\n")
    match = _REQUEST_LINE.match(first.strip())
    if match is None:
        raise Unsupported("has a `request` whose first line is not as in `POST /path HTTP/1.1`")
    headers = {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    path = match[2].strip()
    if host is None and not path.startswith("http"):
        raise Unsupported("has a `request` without the header Host")
    scheme = "https" if config.get("useHttps") else "http"
    return {
        "url": path if path.startswith("http") else f"{scheme}://{host}{path}",
        "method": match[1],
        "headers": {name: value for name, value in headers.items() if name.lower() not in _MANAGED},
        "body": body.strip() or None,
    }


def _in_one_format(spec: RawObject) -> RawObject:
    """Return the templates of a request in mustache where all of them only insert values, else in Jinja."""
    sources = list(_sources([spec.get(name) for name in ("url", "headers", "query", "body")]))
    if all(is_plain(source) for source in sources):
        return spec
    if any(convert_template(_DUMP.sub("| tojson", source))[0] == "jinja2" for source in sources):
        return {**_replaced(spec), "format": "jinja2"}
    raise Unsupported("has a template whose braces are not closed; write the text without them")


def _replaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return _DUMP.sub("| tojson", value) if isinstance(value, str) else value


def _sources(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _sources(item)


def _code(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unsupported(f"has a `{key}` that is no text")
    if is_reference(value) or is_code(value):
        raise Unsupported(f"has a `{key}` in a file of code; write the expression itself")
    return value
