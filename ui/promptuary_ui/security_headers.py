"""Security headers of the UI's pages: a browser loads from this server and from no other, and runs no script in a page."""

import base64
import hashlib
import re
from pathlib import Path

from promptuary_ui.asgi import App, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def content_security_policy(html: str) -> str:
    """Return the policy of pages that start with an HTML document: of scripts in it, only those that are there now.

    Args:
        html: Streamlit's document; each script in it is allowed by its digest.
    """
    digests = [hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(html)]
    scripts = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self'{scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def page_policy() -> str:
    """Return the policy of the pages of the Streamlit that is installed."""
    from streamlit import file_util

    return content_security_policy(Path(file_util.get_static_dir(), "index.html").read_text(encoding="utf-8"))


class SecurityHeaders:
    """ASGI middleware that adds the headers to every response."""

    def __init__(self, app: App, policy: str) -> None:
        """Store the wrapped app and the Content-Security-Policy."""
        self.app = app
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the wrapped app, and add the headers to its response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self.app(scope, receive, send_with_headers)
