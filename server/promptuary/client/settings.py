"""The settings of a client, checked once; the client's only reader of the environment."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from promptuary.client.bundle import read_bundle
from promptuary.client.disk.background import BackgroundDisk
from promptuary.client.disk.disk_cache import DiskCache
from promptuary.client.errors import InvalidSettings
from promptuary.client.lookup.core import LookupCore, LookupPolicy
from promptuary.client.telemetry import Lookup
from promptuary.client.transport.wire import Endpoint

log = logging.getLogger("promptuary.client")


@dataclass(frozen=True)
class ClientOptions:
    """The arguments of `Promptuary` and `AsyncPromptuary`; see there."""

    url: str | None
    api_key: str | None = field(repr=False)
    ttl: float
    deadline: float
    follow: bool
    bundle: str | Path | None
    cache_dir: str | Path | None
    disk: bool
    keep_on_missing: bool
    breaker_failures: int
    breaker_cool_down: float
    on_lookup: Callable[[Lookup], object] | None
    contents: bool
    exit_deadline: float


@dataclass(frozen=True)
class ClientComponents:
    """What a client is made of: the server, the lookup core, and the disk cache, which may be off."""

    endpoint: Endpoint
    core: LookupCore
    disk: BackgroundDisk | None

    def __str__(self) -> str:
        """Return the server for a repr, without the key."""
        parts = urlsplit(self.endpoint.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def build_components(
    options: ClientOptions, clock: Callable[[], float], environment: Mapping[str, str] | None = None
) -> ClientComponents:
    """Build the components of a client.

    Raises:
        InvalidSettings: for a URL, a key or a number that cannot be used.
        InvalidBundle: for a bundle that is missing or has another shape.
    """
    environment = os.environ if environment is None else environment
    endpoint = Endpoint.of(
        options.url or environment.get("PROMPTUARY_URL"), options.api_key or environment.get("PROMPTUARY_API_KEY")
    )
    if not (
        options.ttl >= 0 and 0 < options.deadline <= 600 and options.breaker_failures >= 1 and options.breaker_cool_down >= 0
    ):
        raise InvalidSettings(
            "ttl and breaker_cool_down must be at least 0 s, deadline over 0 s and at most 600 s, breaker_failures at least 1"
        )
    if not 0 <= options.exit_deadline <= 600:
        raise InvalidSettings("exit_deadline must be 0 s to 600 s")
    bundle = None if options.bundle is None else read_bundle(Path(options.bundle), log.warning)
    policy = LookupPolicy(
        ttl=options.ttl,
        deadline=options.deadline,
        failures=options.breaker_failures,
        cool_down=options.breaker_cool_down,
        keep_on_missing=options.keep_on_missing,
    )
    disk = None
    if options.disk and (root := _cache_root(options.cache_dir or environment.get("PROMPTUARY_CACHE_DIR"))):
        disk = BackgroundDisk(DiskCache(root, endpoint.mark, log.warning))
    core = LookupCore(policy, bundle, clock, log.warning, follow=options.follow, on_lookup=options.on_lookup)
    return ClientComponents(endpoint, core, disk)


def _cache_root(folder: str | Path | None) -> Path | None:
    try:
        return Path(folder).expanduser() if folder else Path.home() / ".cache" / "promptuary"
    except RuntimeError:
        log.warning("copies for a restart are not stored: this user has no home folder; see PROMPTUARY_CACHE_DIR")
        return None
