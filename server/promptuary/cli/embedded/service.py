"""The service on the data directory, in this process, with the operator's rights.

Anyone who can read the data directory has those rights anyway. What the registry's commands need is called directly: a request
goes to the same service, in the same kind of transaction, as its route does. Every other request goes through the app, whose
web framework takes longer to import than most commands take to run.
"""

import importlib
import logging
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from promptuary.access.credentials import DEFAULT_PROJECT, local_caller
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, NotDirect, Request
from promptuary.core.clock import freeze_clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.migrations.upgrade import upgrade

if TYPE_CHECKING:  # the web framework
    import httpx

    from promptuary.api.middleware import RequestMiddleware
    from promptuary.context.retrieval import PassageRetrieval

BODY_LIMIT = 2**30
"""In bytes: there is nobody from whom the service in this process is to be protected."""


class _Route(NamedTuple):
    method: str
    path: re.Pattern[str]
    module: str
    name: str

    def call(self) -> DirectCall:
        call: DirectCall = getattr(importlib.import_module(f"promptuary.cli.embedded.{self.module}"), self.name)
        return call


def _route(method: str, path: str, module: str, name: str) -> _Route:
    return _Route(method, re.compile(path.replace("*", "([^/?]+)")), module, name)


_ROUTES = (
    _route("GET", "/prompts/*", "registry_calls", "LOOK_UP"),
    _route("GET", "/prompts", "registry_calls", "LIST_PROMPTS"),
    _route("GET", "/prompts/*/versions", "registry_calls", "LIST_VERSIONS"),
    _route("GET", "/prompts/*/versions/*", "registry_calls", "READ_VERSION"),
    _route("GET", "/prompts/*/dependents", "registry_calls", "LIST_DEPENDENTS"),
    _route("GET", "/prompts/*/labels/*/history", "registry_calls", "LIST_LABEL_HISTORY"),
    _route("GET", "/prompts/*/diff", "diff_calls", "DIFF"),
    _route("POST", "/prompts/*/render", "render_calls", "RENDER"),
    _route("POST", "/prompts/*/preview", "registry_calls", "PREVIEW"),
    _route("POST", "/prompts/*/versions", "registry_calls", "REGISTER"),
    _route("POST", "/prompts/*/archive", "registry_calls", "ARCHIVE"),
    _route("POST", "/prompts/*/restore", "registry_calls", "RESTORE"),
    _route("POST", "/prompts/*/renew", "registry_calls", "RENEW"),
    _route("PUT", "/prompts/*/versions/*/tags", "registry_calls", "SET_VERSION_TAGS"),
    _route("PUT", "/prompts/*/labels/*", "registry_calls", "MOVE_LABEL"),
    _route("DELETE", "/prompts/*/labels/*", "registry_calls", "REMOVE_LABEL"),
    _route("POST", "/prompts/*/labels/*/rollback", "registry_calls", "ROLL_BACK"),
    _route("POST", "/datasets/*/versions", "evaluation_calls", "PUT_DATASET"),
    _route("GET", "/suites/*", "evaluation_calls", "READ_SUITE"),
    _route("PUT", "/suites/*", "evaluation_calls", "PUT_SUITE"),
    _route("POST", "/runs", "evaluation_calls", "SUBMIT_RUN"),
    _route("POST", "/runs/check", "evaluation_calls", "CHECK_RUN"),
    _route("GET", "/runs/*", "evaluation_calls", "READ_RUN"),
    _route("GET", "/runs/*/results", "evaluation_calls", "LIST_RESULTS"),
    _route("POST", "/runs/*/interrupt", "evaluation_calls", "INTERRUPT_RUN"),
    _route("GET", "/queues", "review_calls", "LIST_QUEUES"),
    _route("GET", "/queues/*/agreement", "review_calls", "READ_AGREEMENT"),
    _route("GET", "/queues/*/position-bias", "review_calls", "READ_POSITION_BIAS"),
    _route("GET", "/queues/*/ranking", "review_calls", "READ_RANKING"),
    _route("GET", "/self", "access_calls", "READ_SELF"),
    _route("POST", "/keys", "access_calls", "CREATE_KEY"),
    _route("GET", "/keys", "access_calls", "LIST_KEYS"),
    _route("DELETE", "/keys/*", "access_calls", "REVOKE_KEY"),
    _route("GET", "/audit/head", "access_calls", "READ_AUDIT_HEAD"),
    _route("GET", "/audit/verify", "access_calls", "VERIFY_AUDIT"),
)


class EmbeddedService:
    """The service of one command."""

    def __init__(self, project: str | None, *, allow_code: bool = False) -> None:
        """Open the database, and upgrade it to this release's schema.

        Args:
            project: the project to work in; by default the one named `default`.
            allow_code: permits suites to run code, as the setting does.
        """
        logging.getLogger().setLevel(logging.ERROR)  # a command reports its errors itself, in one line
        self.settings = read_settings(command_line=True, body_limit=BODY_LIMIT, code_scorers=allow_code or None)
        self.database = Database(self.settings.sql_url, statement_seconds=self.settings.database_timeout)
        self._project = project or DEFAULT_PROJECT
        self._app: RequestMiddleware | None = None
        self._client: httpx.Client | None = None
        try:
            upgrade(self.database)
        except Exception:
            self.database.dispose()
            raise

    def close(self) -> None:
        """Close the app, where it was needed, and the database."""
        if self._client is not None:
            self._client.close()
        if self._app is not None:
            self._app.close()
        elif "retrieval" in vars(self):
            self.retrieval.close()
        self.database.dispose()

    @cached_property
    def retrieval(self) -> "PassageRetrieval":
        """What retrieves passages, for the app and for runs in this process."""
        from promptuary.context.retrieval import PassageRetrieval
        from promptuary.context.vector_source import build_embedding_backend

        return PassageRetrieval(self.database, wall_clock, build_embedding_backend(self.database, self.settings))

    @property
    def app(self) -> "RequestMiddleware":
        """The app, built at its first use."""
        if self._app is None:
            from promptuary.api.app import create_app  # imports the web framework
            from promptuary.core.logs import configure_logging

            configure_logging("ERROR")
            self._app = create_app(self.settings, database=self.database, retrieval=self.retrieval)
        return self._app

    @property
    def client(self) -> "httpx.Client":
        """An HTTP client of the app, built at its first use."""
        if self._client is None:
            from promptuary.cli.embedded.app_client import app_client  # imports httpx

            self._client = app_client(self.app, self._project)
        return self._client

    def call(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None, lines: Iterable[bytes] | None = None
    ) -> str | None:
        """Execute a request directly.

        Args:
            method: the request's method.
            path: its path under `/v1`, whose parts are quoted.
            query: its query parameters.
            body: the value of its JSON body.
            lines: its body where that is JSON lines, which are read only by a call that takes them.

        Returns:
            the JSON of the response; None for a response without a body.

        Raises:
            NotDirect: when the app has to answer; nothing was done then.
            PromptuaryError: what the service refuses.
        """
        for route in _ROUTES:
            match = route.path.fullmatch(path) if route.method == method else None
            if match is not None:
                call = route.call()
                if call.takes_lines != (lines is not None) or not query.keys() <= set(call.query):
                    raise NotDirect
                names = tuple(unquote(part) for part in match.groups())
                work = call.prepare(Request(names, query, self.settings, body, lines))
                break
        else:
            raise NotDirect
        if call.writes:
            with self.database.write() as session:
                return work(UnitOfWork(session, self._caller, freeze_clock(wall_clock), self.settings))
        with self.database.read() as session:
            return work(UnitOfWork(session, self._caller, wall_clock, self.settings))

    @cached_property
    def _caller(self) -> Caller:
        return local_caller(self.database, wall_clock(), self._project)
