"""Which hosts suites may ask applications or models at: those that an operator lists; on the command line any.

A name must be listed, and must resolve to public addresses. Loopback and private addresses are listed themselves, alone or as a
network (`127.0.0.1`, `10.0.0.0/8`); a listed name may then resolve to one of them.
"""

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from promptuary.core.errors import Invalid
from promptuary.core.outbound_http import LOOPBACK_NAME, Address, is_public, parse_address

_PORTS = {"http": 80, "https": 443}


class HostRefused(Invalid):
    """Applications, or models, may not be asked at an address."""

    code = "host_refused"


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts of applications, or of models.

    Attributes:
        listed: names, addresses and networks, a name or address alone (any port) or with a port; None for all.
        setting: where an operator lists them.
        noun: what is asked there.
    """

    listed: frozenset[str] | None
    setting: str = "PROMPTUARY_TARGET_HOSTS"
    noun: str = "application"

    def check_url(self, url: str) -> None:
        """Check an address, without resolving it.

        Raises:
            HostRefused: with what is wrong and the remedy.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise HostRefused(
                f"the {self.noun}'s address is not a URL; write one like https://app.example.com/answer"
            ) from None
        if parts.scheme not in _PORTS or not host:
            raise HostRefused(f"the {self.noun}'s address must begin with http:// or https:// and a host")
        if parts.username or parts.password:
            raise HostRefused(f"the {self.noun}'s address contains a user or password; send a header instead")
        if self.listed is None:
            return
        address = parse_address(host)
        if not self._names & {host, f"{host}:{port}"} and (address is None or not self._is_in_network(address)):
            raise HostRefused(
                f"{self.noun}s may not be asked at '{host}' (port {port}); an operator can list it in {self.setting}"
            )
        if parts.scheme == "http" and address is None and host != LOOPBACK_NAME and not self._networks:
            raise HostRefused(f"'{host}' is asked by https only; plain http is for addresses and networks that are listed")

    def check_resolved(self, host: str, address: Address, *, plain: bool = False) -> None:
        """Check an address that a name resolved to.

        Args:
            host: the name.
            address: one of its addresses.
            plain: whether the connection is not encrypted.

        Raises:
            HostRefused: for one that is not public, or with `plain` for one that is, unless it is listed.
        """
        if self.listed is None or self._is_in_network(address):
            return
        if host.lower() == LOOPBACK_NAME and address.is_loopback:
            return
        if not is_public(address):
            raise HostRefused(
                f"the name '{host}' resolves to {address}, which is not public; an operator can list that in {self.setting}"
            )
        if plain:
            raise HostRefused(f"'{host}' is asked by https only; plain http is for addresses and networks that are listed")

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name.lower().replace("[", "").replace("]", "") for name in self.listed or ())

    @cached_property
    def _networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        networks = []
        for name in self._names:
            try:
                networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                continue
        return tuple(networks)

    def _is_in_network(self, address: Address) -> bool:
        return any(address in network for network in self._networks)
