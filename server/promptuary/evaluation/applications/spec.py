"""An application as a suite has it: over HTTP, a Python function, a command, or outputs that are there; with its version."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    ValidationError,
    model_serializer,
    model_validator,
)

from promptuary.core.wire import RequestModel
from promptuary.evaluation.applications import template
from promptuary.evaluation.applications.answer_path import parse_path
from promptuary.evaluation.applications.function_source import FunctionSource
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.content import Content
from promptuary.prompt.described_fields import DescribedByFields
from promptuary.prompt.digest import json_digest
from promptuary.prompt.errors import Invalid
from promptuary.prompt.validation_errors import field_errors_from

Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
EnvironmentName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
HeaderName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
PROMPTFOO = "promptfoo"
ALL_VARIABLES = "*"
TEXT_OUTPUT = "text"
STORED_OUTPUTS = ".outputs."
"""What stands between the names of a suite and of its file in the name of the stored outputs."""
_FILE_SUFFIX = re.compile(r"\.(?:jsonl|ndjson|json|csv|tsv|xlsx|parquet)$", re.IGNORECASE)
_MANAGED_HEADERS = ("host", "content-length", "transfer-encoding", "connection")


class ApplicationType(StrEnum):
    """How an application answers."""

    HTTP = "http"
    """By a request."""
    PYTHON = "python"
    """By a function, in a process of its own."""
    COMMAND = "exec"
    """By a command's standard output."""
    OUTPUTS = "outputs"
    """Not at all: its outputs are there."""


class _Part(RequestModel, DescribedByFields):
    """A part of the definition; fields that have their default are not written, so that digests stay the same."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        body: JsonObject = handler(self)
        fields = type(self).model_fields
        return {
            name: value
            for name, value in body.items()
            if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


class ScriptSpec(_Part):
    """A JavaScript expression, or a function: over `json`, `text` and `context` for an output, over `status` for a status."""

    expression: Annotated[str, Field(min_length=1, max_length=20_000)]


def _check_output(value: Any) -> Any:
    if isinstance(value, str) and value != TEXT_OUTPUT:
        if not value.startswith("$"):
            raise ValueError("must be a JSONPath that begins with $, as in $.answer; or `text`; or {expression: …}")
        _check(parse_path, value)
    return value


def _check_path(value: str | None) -> str | None:
    if value is not None:
        if not value.startswith("$"):
            raise ValueError("must be a JSONPath that begins with $, as in $.tool_calls")
        _check(parse_path, value)
    return value


def _check(parse: Any, value: str) -> None:
    try:
        parse(value)
    except Invalid as error:
        raise ValueError(str(error)) from None


def _check_status(value: Any) -> Any:
    for item in value if isinstance(value, list) else ():
        whole = isinstance(item, int) and not isinstance(item, bool) and 100 <= item <= 599
        if not whole and item not in ("any", "1xx", "2xx", "3xx", "4xx", "5xx"):
            raise ValueError("lists statuses that are accepted, each a number or a class as 2xx; or `any`")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


class HttpSpec(_Part):
    """A request whose parts are templates.

    Attributes:
        url: http or https; values in path and query are percent-encoded.
        method: by default POST with a body, else GET.
        query: parameters that are added to the address.
        headers: beside `Content-Type`, which a JSON body gets.
        body: JSON whose texts are templates, or one text.
        output: which part of the answer is the output: a JSONPath, `text`, or an expression; by default all of it.
        tool_calls: the JSONPath of the list of tool calls that the application made; None where its answers state none.
        status: the statuses that are answers, by default those of success; others are errors.
        timeout: seconds for one attempt; None for the run's.
        format: of the templates.
        semantics: `promptfoo` for a request that was a provider there.
        request: with promptfoo's semantics, an expression over `prompt`, `vars` and `context` that makes prompt or body.
    """

    url: Annotated[str, Field(min_length=1, max_length=4000)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    query: dict[str, str | int | float | bool] = Field(default_factory=dict)
    headers: dict[HeaderName, Annotated[str, Field(max_length=8000)]] = Field(default_factory=dict)
    body: JsonValue = None
    output: Annotated[str | ScriptSpec | None, AfterValidator(_check_output)] = None
    tool_calls: Annotated[str | None, Field(max_length=1000), AfterValidator(_check_path)] = None
    status: Annotated[
        Annotated[list[str | int], Field(max_length=50)] | ScriptSpec | None,
        AfterValidator(_check_status),
        BeforeValidator(_as_list),
    ] = None
    timeout: Annotated[float, Field(gt=0, le=3600)] | None = None
    format: Literal["mustache", "jinja2"] = "mustache"
    semantics: Literal["promptfoo"] | None = None
    request: ScriptSpec | None = None

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        if self.format == "mustache":
            for source in _texts([self.url, *self.headers.values(), *self.query.values(), self.body]):
                _check(template.parse_text, source)
        authority = template.authority_of(self.url)
        if "{{" not in authority and not authority.startswith(("http://", "https://")):
            raise ValueError("the address must begin with http:// or https://")
        for name in self.headers:
            if name.lower() in _MANAGED_HEADERS:
                raise ValueError(f"the header '{name}' is set by the connection; leave it out")
        if self.request is not None and self.semantics != PROMPTFOO:
            raise ValueError("`request` is promptfoo's; write the body as a template")
        return self

    def scripts(self) -> dict[str, str]:
        """Return the JavaScript of the request by the name of its field."""
        fields = {"output": self.output, "status": self.status, "request": self.request}
        return {name: value.expression for name, value in fields.items() if isinstance(value, ScriptSpec)}

    @property
    def verb(self) -> str:
        """The method of the request."""
        return self.method or ("GET" if self.body is None else "POST")

    @property
    def address(self) -> str:
        """The address without its query, as people read it."""
        return self.url.partition("?")[0].partition("://")[2] or self.url.partition("?")[0]

    def environment_names(self) -> frozenset[str]:
        """Return the variables of the environment that the request uses."""
        return frozenset(template.environment_names([self.url, self.query, self.headers, self.body]))

    def secret_names(self) -> frozenset[str]:
        """Return those whose values never stand in a result: all but those that are part of scheme and host."""
        rest = self.url[len(template.authority_of(self.url)) :]
        return frozenset(template.environment_names([rest, self.query, self.headers, self.body]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _read_function(value: Any) -> Any:
    """Return a function as an object; a text is `module:function` or `file.py:function`, with its settings beside it."""
    return {"function": value} if isinstance(value, str) else value


class PythonSpec(_Part):
    """A Python function that answers a case.

    Attributes:
        function: `module:function`; or a file's name, function and code, as a suite's file is read.
        config: free settings that the function gets.
        env: the variables of the environment that its process gets; `*` for all that are allowed.
        workers: how many processes run a function that is not `async`.
        timeout: seconds for one call; None for the run's.
        semantics: `promptfoo` for a function that was a provider there.
    """

    function: Annotated[str | FunctionSource, AfterValidator(FunctionSource.check)]
    config: dict[str, JsonValue] = Field(default_factory=dict)
    env: list[EnvironmentName | Literal["*"]] = Field(default_factory=list)
    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    timeout: Annotated[float, Field(gt=0, le=3600)] | None = None
    semantics: Literal["promptfoo"] | None = None

    @property
    def source(self) -> FunctionSource:
        """The function as an object."""
        return FunctionSource.parse(self.function)


class ColumnSpec(_Part):
    """Outputs that are a variable of the dataset, such as a column of its table."""

    column: Annotated[str, Field(min_length=1, max_length=200)]


OutputsSource = Annotated[str, Field(min_length=1, max_length=1000)] | ColumnSpec


class VersionHeader(_Part):
    """The application's version, as a header of each answer states it."""

    header: HeaderName


class TargetSpec(_Part):
    """An application.

    Attributes:
        name: what reports call it; by default its address, function or command.
        version: of the application, or the header of its answers that states it.
        prompt: a content that is rendered with the case's variables; templates and functions get it as `prompt`.
        http: how it is asked over HTTP.
        python: the function that it is.
        exec: the command and its arguments; nothing is expanded, no shell is involved.
        outputs: a file of outputs, or a column of the dataset; in a stored suite the name of a stored dataset.
    """

    name: Label | None = None
    version: Label | VersionHeader | None = None
    prompt: dict[str, JsonValue] | None = None
    http: HttpSpec | None = None
    python: Annotated[PythonSpec | None, BeforeValidator(_read_function)] = None
    exec: Annotated[list[Annotated[str, Field(max_length=4000)]], Field(min_length=1, max_length=100)] | None = None
    outputs: OutputsSource | None = None

    @model_validator(mode="after")
    def _check_one_type(self) -> Self:
        present = [kind for kind in ApplicationType if getattr(self, kind.value) is not None]
        if len(present) != 1:
            raise ValueError("takes one of http, python, exec and outputs")
        if isinstance(self.version, VersionHeader) and self.http is None:
            raise ValueError("only an application over HTTP states its version in a header; write it as a text")
        if self.prompt is not None:
            try:
                Content.model_validate(self.prompt)
            except ValidationError as error:
                raise ValueError(f"has a prompt that cannot be used: {field_errors_from(error)[0]}") from None
        return self

    @property
    def type(self) -> ApplicationType:
        """How the application answers."""
        return next(kind for kind in ApplicationType if getattr(self, kind.value) is not None)

    @property
    def label(self) -> str:
        """The application's name."""
        if self.name is not None:
            return self.name
        if self.http is not None:
            derived = self.http.address
        elif self.python is not None:
            derived = self.python.source.label
        elif self.exec is not None:
            derived = " ".join(self.exec)
        else:
            name = self.outputs.column if isinstance(self.outputs, ColumnSpec) else str(self.outputs)
            derived = _FILE_SUFFIX.sub("", PurePosixPath(name.rpartition(STORED_OUTPUTS)[2]).name)
        return " ".join(derived.split())[:100]

    @property
    def stated_version(self) -> str | None:
        """The version that the suite states; None where answers state it, or nobody does."""
        return self.version if isinstance(self.version, str) else None

    @property
    def version_header(self) -> str | None:
        """The header of each answer that states the version."""
        return self.version.header if isinstance(self.version, VersionHeader) else None

    @property
    def variant_name(self) -> str:
        """The name of the run's variant: the application's, with the version that the suite states."""
        return f"{self.label} {self.stated_version}" if self.stated_version else self.label

    @property
    def digest(self) -> str:
        """The digest of the definition, which no content of a prompt has."""
        return json_digest({"application": self.model_dump(mode="json")})


def _targets_tag(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


Targets = Annotated[
    Annotated[TargetSpec, Tag("<one>")] | Annotated[list[TargetSpec], Field(min_length=1, max_length=50), Tag("<list>")],
    Discriminator(_targets_tag),
]
"""One application, or several: different ones, or versions of one."""
