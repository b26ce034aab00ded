"""Addresses and keys of models that suites name: to allowed hosts only, with keys of variables that may be used only.

The key of a provider, which its package reads from the environment, is never sent to another address than the provider's own:
a model with an address has the key of the variable that it names, or none.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from promptuary.core.allowed_hosts import AllowedHosts
from promptuary.core.errors import FieldError, InvalidRequest, Unavailable
from promptuary.core.outbound_http import parse_address
from promptuary.core.settings import Settings, read_secret
from promptuary.prompt.errors import Invalid

BASE_URL, API_KEY_ENV = "base_url", "api_key_env"
NO_KEY = "none"
"""What stands in place of a key where none is named; servers that need no key ignore it."""
_OWN_CONNECTIONS = frozenset({"openai", "azure_openai"})
"""Providers whose requests are sent by this program's client, which checks addresses and follows no redirect."""


@dataclass(frozen=True)
class EndpointPermissions:
    """Which addresses and keys models may have in this process.

    Attributes:
        hosts: that may be asked.
        variables: of the environment that may be keys; None for all but this program's own.
        command_line: whether a person at a terminal runs this process, so that its environment is the run's.
    """

    hosts: AllowedHosts
    variables: frozenset[str] | None
    command_line: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Build the permissions that the settings grant."""
        hosts = AllowedHosts(settings.allowed_model_hosts, "PROMPTUARY_MODEL_HOSTS", "model")
        return cls(hosts, settings.allowed_model_variables, settings.command_line)

    def errors(self, name: str, config: Mapping[str, Any]) -> list[FieldError]:
        """Return what is not allowed, or not there, of a model's address and key.

        On a server another process may execute the run, in an environment of its own, so the variable may be set there only.
        """
        url, variable, errors = config.get(BASE_URL), config.get(API_KEY_ENV), []
        provider = name.partition(":")[0]
        if url is not None:
            if provider in ("echo", "local"):
                errors.append(FieldError(BASE_URL, f"'{provider}' has no address; name a model of a server, as in openai:NAME"))
            elif self.hosts.listed is not None and provider not in _OWN_CONNECTIONS:
                errors.append(FieldError(BASE_URL, "is taken on a server for models of OpenAI's protocol only (openai:…)"))
            try:
                self.hosts.check_url(url)
            except Invalid as error:
                errors.append(FieldError(BASE_URL, error.message))
        if variable is not None and provider in ("echo", "local"):
            errors.append(FieldError(API_KEY_ENV, f"'{provider}' has no key"))
        elif variable is not None and (message := self._variable_error(variable)) is not None:
            errors.append(FieldError(API_KEY_ENV, message))
        return errors

    def key(self, variable: str) -> str:
        """Return the key in a variable of the environment.

        Raises:
            InvalidRequest: where it may not be used, or is not set.
        """
        value = None if self._forbids(variable) else read_secret(variable)
        if not value:
            message = (
                self._forbids(variable) or f"the variable {variable} of the environment is not set where the run is executed"
            )
            raise InvalidRequest("the model cannot be used", [FieldError(API_KEY_ENV, message)])
        return value

    def _variable_error(self, variable: str) -> str | None:
        if message := self._forbids(variable):
            return message
        if self.command_line and not read_secret(variable):
            return f"the variable {variable} of the environment is not set"
        return None

    def _forbids(self, variable: str) -> str | None:
        if variable.upper().startswith("PROMPTUARY_"):
            return f"the variable {variable} is this program's own, and is no key of a model"
        if self.variables is not None and variable not in self.variables:
            return f"the variable {variable} may not be used here; an operator can list it in PROMPTUARY_MODEL_VARIABLES"
        return None


class CheckedTransport(httpx.AsyncBaseTransport):
    """A transport that resolves a name once, checks its addresses, and connects to one of them, whatever the name is later.

    It is for one host: a connection to an address must not be reused for another name.
    """

    def __init__(self, hosts: AllowedHosts, inner: httpx.AsyncBaseTransport) -> None:
        """Store the allowed hosts, and what connects."""
        self._hosts = hosts
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to a checked address, with the host's name in the request and in TLS.

        Raises:
            HostRefused: for an address that is not allowed.
            Unavailable: for a name without an address.
        """
        host = request.url.raw_host.decode("ascii")
        self._hosts.check_url(str(request.url))
        if parse_address(host) is None:
            try:
                places = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            except OSError:
                raise Unavailable(f"the name '{host}' has no address") from None
            addresses = [address for *_, place in places if (address := parse_address(str(place[0]))) is not None]
            for address in addresses:
                self._hosts.check_resolved(host, address, plain=request.url.scheme == "http")
            request.extensions = {**request.extensions, "sni_hostname": host}
            request.url = request.url.copy_with(host=str(addresses[0]))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
