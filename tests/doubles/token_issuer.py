"""An issuer of signed tokens on a loopback port: its discovery document, its keys, and tokens that it signs."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

_RSA = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("first", "second")}
_EC = ec.generate_private_key(ec.SECP256R1())
PAGES = "/.well-known/openid-configuration", "/keys"


class LocalIssuer:
    """The issuer; a test changes its attributes to change what it publishes.

    Attributes:
        url: its address, which is its name.
        documents: what it answers by path: a JSON value, or a status.
        requests: the requested paths, in order.
        key: the name of the key that it signs with.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = "first"
        self.requests: list[str] = []
        self.documents: dict[str, Any] = {
            PAGES[0]: {
                "issuer": url,
                "jwks_uri": f"{url}/keys",
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "userinfo_endpoint": f"{url}/userinfo",
            }
        }
        self.publish("first")

    def publish(self, *names: str) -> None:
        """Publish these keys: `first` and `second` are RSA, `curve` is EC."""
        keys = []
        for name in names:
            public = _EC.public_key() if name == "curve" else _RSA[name].public_key()
            algorithm: Any = ECAlgorithm if name == "curve" else RSAAlgorithm
            keys.append({**algorithm.to_jwk(public, as_dict=True), "kid": name, "use": "sig"})
        self.documents[PAGES[1]] = {"keys": keys}

    def sign(self, claims: dict[str, Any], *, algorithm: str = "RS256", headers: dict[str, Any] | None = None) -> str:
        """Return a token with these claims, signed with the current key."""
        key: Any = _EC if self.key == "curve" else _RSA[self.key]
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": self.key, **(headers or {})})

    def token(self, now: datetime, **claims: Any) -> str:
        """Return a token that is valid for five minutes; claims that are None are left out."""
        seconds = int(now.timestamp())
        usual = {"iss": self.url, "sub": "subject", "aud": "promptuary", "iat": seconds, "exp": seconds + 300}
        return self.sign({name: value for name, value in {**usual, **claims}.items() if value is not None})


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Return a token with a header of the test's own and no signature."""
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@contextmanager
def local_issuer(more: Any = None) -> Iterator[LocalIssuer]:
    """Serve an issuer until the block ends.

    Args:
        more: a function that answers other requests: it gets the handler, its method and the issuer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def log_message(self, *_arguments: Any) -> None:
            pass

        def _answer(self, method: str) -> None:
            path = self.path.partition("?")[0]
            issuer.requests.append(path)
            document = issuer.documents.get(path)
            if document is None and more is not None:
                more(self, method, issuer)
                return
            status = document if isinstance(document, int) else 404 if document is None else 200
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = LocalIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="issuer")
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
