"""The cookie of a session: HttpOnly and SameSite=Strict; it contains the session's random token, never a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

DEFAULT_PORTS = (80, 443)


@dataclass(frozen=True)
class SessionCookie:
    """The name of the cookie, and whether browsers send it by https only.

    Ports share their cookies, so the name contains the port: a second UI on the same machine has a session of its own.
    """

    port: int
    secure: bool

    @property
    def name(self) -> str:
        """The cookie's name; browsers accept one with the prefix only for this very host."""
        name = "promptuary" if self.port in DEFAULT_PORTS else f"promptuary-{self.port}"
        return f"__Host-{name}" if self.secure else name

    def read(self, cookies: Mapping[str, str]) -> str | None:
        """Return the token that a browser sent, or None."""
        return cookies.get(self.name) or None

    def header(self, token: str, expires_at: datetime) -> str:
        """Return the header that stores a token until its session ends."""
        seconds = max(0, int((expires_at - datetime.now(UTC)).total_seconds()))
        return f"{self.name}={token}; Max-Age={seconds}; {self._attributes}"

    def deletion(self) -> str:
        """Return the header that deletes the cookie."""
        return f"{self.name}=; Max-Age=0; {self._attributes}"

    @property
    def _attributes(self) -> str:
        return "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if self.secure else "")


def session_cookie(port: int, public_origin: str | None) -> SessionCookie:
    """Return the cookie of the UI on a port: by https only where its public address is one."""
    return SessionCookie(port, public_origin is not None and public_origin.startswith("https://"))
