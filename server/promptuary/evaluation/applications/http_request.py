"""The request to an application: its templates, parsed once, and filled for each case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

from promptuary.evaluation.applications.spec import PROMPTFOO, HttpSpec
from promptuary.evaluation.applications.template import (
    ENVIRONMENT,
    BodyTemplate,
    TextTemplate,
    UrlTemplate,
    Values,
    parse_body,
    parse_text,
    parse_url,
)
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import Invalid

BODY_LIMIT = 4 * 1024 * 1024
_CONTENT_TYPE = "content-type"


@dataclass(frozen=True)
class HttpRequest:
    """A request, ready to be sent.

    Attributes:
        method: in capitals.
        url: absolute, with its query.
        headers: by their names.
        content: None for a request without a body.
        address: the URL as results show it, with names in place of the environment's values.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    address: str


@dataclass(frozen=True)
class RequestTemplate:
    """The parsed templates of a request."""

    spec: HttpSpec
    url: UrlTemplate
    query: Mapping[str, TextTemplate]
    headers: Mapping[str, TextTemplate]
    body: BodyTemplate | None

    @classmethod
    def of(cls, spec: HttpSpec) -> Self:
        """Parse the templates.

        Raises:
            Invalid: for a template that does not parse.
        """
        jinja2, strict = spec.format == "jinja2", spec.semantics != PROMPTFOO

        def parse(source: str) -> TextTemplate:
            return parse_text(source, jinja2=jinja2, strict=strict)

        read_json = spec.semantics == PROMPTFOO
        return cls(
            spec,
            parse_url(spec.url, jinja2=jinja2, strict=strict),
            {name: parse(_query_text(value)) for name, value in spec.query.items()},
            {name: parse(value) for name, value in spec.headers.items()},
            None if spec.body is None else parse_body(spec.body, parse, read_json=read_json),
        )

    def build(self, values: Values, environment: Mapping[str, str], more: JsonObject | None = None) -> HttpRequest:
        """Build the request of a case.

        Args:
            values: the case's variables, and `prompt` where there is one.
            environment: the variables of the environment that the request uses.
            more: members that are added to the body as it is written; then its templates are not filled, as in promptfoo.

        Raises:
            Invalid: for a missing value, a line break in a header, or a body that is too large.
        """
        scope = {**values, ENVIRONMENT: dict(environment)}
        hidden = {**values, ENVIRONMENT: {name: f"${name}" for name in environment}}
        headers = {name: _header_value(name, template.text(scope, f"header {name}")) for name, template in self.headers.items()}
        content, content_type = self._content(scope, headers) if more is None else self._extended(more)
        if content_type is not None and not any(name.lower() == _CONTENT_TYPE for name in headers):
            headers["Content-Type"] = content_type
        return HttpRequest(self.spec.verb, self._address(scope), headers, content, self._address(hidden))

    def _address(self, scope: Values) -> str:
        url = self.url.text(scope)
        if not self.query:
            return url
        pairs = (
            f"{quote(name, safe='')}={quote(template.text(scope, f'query {name}'), safe='')}"
            for name, template in self.query.items()
        )
        whole, mark, fragment = url.partition("#")
        return whole + ("&" if "?" in whole else "?") + "&".join(pairs) + mark + fragment

    def _extended(self, more: JsonObject) -> tuple[bytes, str]:
        body = self.spec.body if isinstance(self.spec.body, dict) else {}
        return json.dumps({**body, **more}, ensure_ascii=False).encode("utf-8", "replace"), "application/json"

    def _content(self, scope: Values, headers: Mapping[str, str]) -> tuple[bytes | None, str | None]:
        """Return the body, and the content type that it gets if no header states one."""
        if self.body is None:
            return None, None
        if isinstance(self.body.parsed, TextTemplate):
            stated = next((value for name, value in headers.items() if name.lower() == _CONTENT_TYPE), "")
            text = self.body.text(scope, in_json="json" in stated.lower())
            content_type = "text/plain; charset=utf-8"
        else:
            text = json.dumps(self.body.fill(scope), ensure_ascii=False, allow_nan=False)
            content_type = "application/json"
        content = text.encode("utf-8", "replace")
        if len(content) > BODY_LIMIT:
            raise Invalid(f"the request's body has {len(content)} bytes; the most are {BODY_LIMIT}")
        return content, content_type


def _query_text(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _header_value(name: str, value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise Invalid(f"the header '{name}' would contain a line break, which a header cannot")
    return value.strip()
