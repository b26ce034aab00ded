"""The methods of the Model Context Protocol over the registry: prompts are listed, rendered, and their arguments completed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.compat.mcp.arguments import (
    COMPLETIONS_LIMIT,
    argument_schema,
    complete_argument,
    convert_arguments,
    describe_argument,
)
from promptuary.compat.mcp.messages import LINKS_SINCE, META_PREFIX, MessageConversion
from promptuary.compat.mcp.selection import parse_selection
from promptuary.context.rendering import ContextRenderer
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.name import LATEST
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.registry.service import LookupResult, Registry
from promptuary.registry.store import PromptFilter

_COMPLETE = {"resultType": "complete"}
_NOT_CACHED = {"ttlMs": 0, "cacheScope": "private"}
"""Labels move at any time, so a client may not reuse a list; the SDK omits these fields for protocols before 2026-07-28."""


@dataclass(frozen=True)
class McpPrompts:
    """The project's prompts for one caller. Each method opens a short unit of work; results are the protocol's JSON.

    Attributes:
        database: where the prompts are.
        clock: returns the present time.
        settings: limits, and which template formats are enabled.
        renderer: renders with the passages of a context.
        caller: who asks.
        label: the label of the connection: the prompts that have it are listed, and a name alone means its version.
    """

    database: Database
    clock: Clock
    settings: Settings
    renderer: ContextRenderer
    caller: Caller
    label: str

    def list(self, cursor: str | None) -> dict[str, Any]:
        """Return a page of the prompts that have the connection's label, ordered by name.

        Raises:
            InvalidCursor: for a cursor that this server did not send.
        """
        label = None if self.label == LATEST else self.label
        with self.database.read() as session:
            registry = Registry(UnitOfWork(session, self.caller, self.clock, self.settings))
            page = registry.prompts(self.settings.page_limit, cursor, PromptFilter(label=label))
            results = registry.results_by_label(page.items, self.label)
        given_names = {prompt.name: prompt.given_name for prompt in page.items}
        prompts = [self._description(result, given_names[result.version.prompt]) for result in results]
        listed = {"prompts": prompts, **_COMPLETE, **_NOT_CACHED}
        return {**listed, "nextCursor": page.next_cursor} if page.next_cursor else listed

    def get(self, name: str, arguments: Mapping[str, str], protocol: str) -> dict[str, Any]:
        """Render a version, and return its messages.

        Args:
            name: `name`, `name@label` or `name@NUMBER`.
            arguments: the variables as texts, converted to their declared types.
            protocol: the client's version of the protocol.

        Raises:
            Forbidden: when the caller may not render.
            NotFound: when there is no such version.
            InvalidVariables: for arguments that do not fit.
        """
        self.caller.require(Scope.PROMPT_RENDER)
        result, prepared = self._look_up(name)
        rendered = self.renderer.render(self.caller.project, prepared, convert_arguments(prepared, arguments))
        return {
            "description": _describe(result),
            "messages": MessageConversion(links=protocol >= LINKS_SINCE).convert(rendered),
            "_meta": _meta(result),
            **_COMPLETE,
        }

    def complete(self, name: str, argument: str, beginning: str) -> dict[str, Any]:
        """Return the values of an argument that begin with a text, at most a hundred.

        Raises:
            NotFound: when there is no such version.
            InvalidVariables: when the version has no such variable.
        """
        values = complete_argument(self._look_up(name)[1], argument, beginning)
        has_more = len(values) > COMPLETIONS_LIMIT
        completion = {"values": values[:COMPLETIONS_LIMIT], "total": len(values), "hasMore": has_more}
        return {"completion": completion, **_COMPLETE}

    def _look_up(self, name: str) -> tuple[LookupResult, PreparedPrompt]:
        selection = parse_selection(name, self.label)
        with self.database.read() as session:
            registry = Registry(UnitOfWork(session, self.caller, self.clock, self.settings))
            result = registry.lookup(selection.name, label=selection.label, version=selection.version)
        return result, self._prepare(result)

    def _prepare(self, result: LookupResult) -> PreparedPrompt:
        return prepare(content_from_json(result.version.content), jinja2=self.settings.jinja2)

    def _description(self, result: LookupResult, given_name: str | None) -> dict[str, Any]:
        """Return a prompt of the list. One that cannot be rendered here states why, and does not hide the others."""
        description: dict[str, Any] = {
            "name": result.version.prompt,
            "title": given_name or _title(result.version.prompt),
            "description": _describe(result),
            "_meta": _meta(result),
        }
        try:
            prepared = self._prepare(result)
        except InvalidPrompt as error:
            reason = "; ".join(map(str, error.field_errors))
            return {**description, "description": f"{description['description']}; cannot be rendered here: {reason}"}
        schemas = {name: argument_schema(variable) for name, variable in prepared.variables.items()}
        description["_meta"][f"{META_PREFIX}arguments"] = schemas
        return {**description, "arguments": [describe_argument(prepared, name) for name in prepared.variables]}


def _title(name: str) -> str:
    """Return a name as people read it: `support.ticket_triage` is `Support / Ticket triage`."""
    parts = [part.replace("_", " ").replace("-", " ").strip() for part in name.split(".")]
    return " / ".join(part[:1].upper() + part[1:] for part in parts if part)


def _describe(result: LookupResult) -> str:
    """Return the version's message, its number, and the label that selected it."""
    label = f", {result.label}" if result.label else ""
    number = f"version {result.version.number}{label}"
    return f"{result.version.message} ({number})" if result.version.message else number[0].upper() + number[1:]


def _meta(result: LookupResult) -> dict[str, Any]:
    meta = {"version": result.version.number, "digest": result.version.digest, "label": result.label, "variant": result.variant}
    return {f"{META_PREFIX}{key}": value for key, value in meta.items() if value is not None}
