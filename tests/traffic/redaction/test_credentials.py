"""Secrets are removed where they are stated; a sentence about passwords stays as it is."""

import pytest

from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.redaction.text import redact_text

PROSE = """
The secret is being kept.
The secret is simple: begin early!
The password is wrong, and the access token is expired.
The password is case-sensitive and the passphrase is out-of-date.
My password is incorrect... what now?
THE PASSWORD IS REQUIRED.
The API key is missing/invalid.
Your password is **wrong**
The password is wrong\u2014try again; the client secret is unknown\U0001f61e
The password is 8-16 characters long, or the password is 12-character.
The secret is 100% safe.
Whose secret is that? It's mine; the secret is mine.
The client's password is user's own choice.
The refresh token is authentication-specific.
Das Passwort ist falsch. Das Kennwort ist abgelaufen!
Das Passwort ist selbstverst\u00e4ndlich geheim; Ihr Passwort ist wiederherstellbar.
Das Passwort ist Gro\u00df- und Kleinschreibung egal.
Le mot de passe est oubli\u00e9. Le mot de passe est peut-\u00eatre expir\u00e9.
Le secret est l'amour ; ce secret est d\u2019ailleurs bien gard\u00e9.
La contrase\u00f1a es incorrecta. La contrase\u00f1a est\u00e1 caducada.
Su contrase\u00f1a es obligatoria.
A secret is nothing to a friend.
Basic requirements, a basic understanding and Basic authentication.
basic input/output; Basic self-sufficiency.
Bearer authentication, bearer authorization, bearer certificates, Bearer token-based.
Bearer Authentifizierung.
The client secret is authentication/authorization-related.
""".strip().splitlines()

SECRETS = {
    "My password is hunter2hunter2": "hunter2",
    "The password is 1234": "1234",
    "The secret is S3same!": "S3same",
    "The password is openSesame.": "openSesame",
    "The password is p@ssword": "p@ss",
    "The password is correct-horse-battery-staple": "horse",
    "The password is correct_horse": "horse",
    "The password is: hunter": "hunter",
    "the password is `hunter`": "hunter",
    "the password is \u201chunter\u201d": "hunter",
    "the secret is 'sesame'": "sesame",
    'the secret is "sesame"': "sesame",
    "password = hunter": "hunter",
    "passwd: hunter": "hunter",
    '{"client_secret": "sesame"}': "sesame",
    "the api key is abcdefghijklmnopqrstuvwxyzab": "abcdef",
    "access key is QWERTYuiop": "QWERTY",
    "Das Passwort lautet Sommer2024": "Sommer",
    "Das Kennwort ist: sommer": "sommer",
    "Das Passwort ist \u201esommer\u201c": "sommer",
    "Le mot de passe est soleil75": "soleil",
    "Mot de passe\u00a0: soleil": "soleil",
    "Le mot de passe est \u00ab\u00a0soleil\u00a0\u00bb": "soleil",
    "La contrase\u00f1a es verano2024": "verano",
    "contrasen\u0303a: verano": "verano",
    "Authorization: Basic abcdefghijklmnop": "abcdef",
    "authorization=bearer abcdefghijklmnop": "abcdef",
    "Basic dXNlcjpwYXNz": "dXNlcjpw",
    "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": "QWxhZGR",
    "bearer 0123456789abcdef": "456789",
    "Bearer abcdefghijklmnop": "abcdef",
}


@pytest.mark.parametrize("text", PROSE)
def test_a_sentence_about_secrets_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == (text, 0)
    assert redact_text(f"One more thing. {text} That is all of it.")[1] == 0


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
@pytest.mark.parametrize("around", ["{}", "Hello! {} Thanks.", "one\n{}\ntwo"])
def test_a_secret_that_is_stated_is_removed(text: str, secret: str, around: str) -> None:
    redacted, count = redact_text(around.format(text))
    assert secret not in redacted
    assert count == 1


def test_what_stands_around_a_quoted_secret_stays() -> None:
    assert redact_text("It is `a`: the password is `hunter`, really.") == (
        "It is `a`: the password is `[redacted: credential]`, really.",
        1,
    )


@pytest.mark.parametrize("text", ["password: {}", "the password is {}", "api_key={}"])
@pytest.mark.parametrize("marker", ["[redacted: variable]", "[redacted: credential]", "[withheld: the redaction failed]"])
def test_what_was_removed_already_is_not_removed_again(text: str, marker: str) -> None:
    assert Redactor().redact_text(text.format(marker)) == (text.format(marker), 0)
