import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.traffic.redaction.numbers import is_card_number
from promptuary.traffic.redaction.text import redact_text

PERSONAL = {
    "e-mail": "ada.lovelace+shop@mail.example.co.uk",
    "e-mail with other letters": "jörg@bücher.example",
    "e-mail in a URL": "ada%40example.org",
    "e-mail in JSON": "ada\\u0040example.org",
    "card": "4111111111111111",
    "card in groups": "4111 1111 1111 1111",
    "card with dashes": "5500-0000-0000-0004",
    "card with no-break spaces": "3782\u00a0822463\u00a010005",
    "card in Arabic digits": "٤١١١١١١١١١١١١١١١",
    "card of 19 digits": "6304000000000000000",
    "IBAN": "DE89370400440532013000",
    "IBAN in groups": "GB29 NWBK 6016 1331 9268 19",
    "IBAN in small letters": "fr1420041010050500013m02606",
    "phone with the country's code": "+49 170 1234567",
    "phone with 00": "0049 (0)30 1234567",
    "phone of North America": "(555) 123-4567",
    "phone with dots": "555.123.4567",
    "phone with a trunk prefix": "01 23 45 67 89",
    "phone in one piece": "01701234567",
    "OpenAI's key": "sk-proj-abcdefghijklmnop1234567890",
    "this service's key": "pmt_k1abcdef_0123456789abcdefghijklmnop",
    "AWS's key": "AKIAIOSFODNN7EXAMPLE",
    "GitHub's token": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "a web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("personal", PERSONAL.values(), ids=PERSONAL.keys())
@pytest.mark.parametrize(
    "around", ["{}", "Write to {} today.", "({})", '{{"x": "{}"}}', "order 123 {}", "one\n{}\ntwo", "<b>{}</b>"]
)
def test_a_text_keeps_nothing_of_what_is_looked_for(personal: str, around: str) -> None:
    text, count = redact_text(around.format(personal))
    assert personal not in text
    assert count == 1
    assert text.startswith(around.partition("{}")[0].replace("{{", "{")[:5])


@pytest.mark.parametrize(
    "text",
    [
        "The parcel 20261130-4455 came on 2026-11-30 10:15:00 and on 30.11.2026.",
        "Version 1.45.2 of 1,234,567 rows; 3.14159265358979 and -0.00000012345.",
        "card 4111111111111112 has a wrong check digit",
        "DE89370400440532013001 has wrong check digits",
        "@home at 5 o'clock, a@b",
        "the key is under the mat",
        "https://example.org/a/b?c=1&d=2",
        "2f1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
        "1700000000",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == (text, 0)


def test_passwords_are_removed_where_they_are_named() -> None:
    text, count = redact_text(
        "password: hunter2hunter2, api_key='abcd1234', postgres://app:s3cret@db/x, Bearer abcdefghijklmnop"
    )
    assert count == 4
    assert not any(secret in text for secret in ("hunter2", "abcd1234", "s3cret", "abcdefghijklmnop"))


@pytest.mark.parametrize(
    "around",
    [
        "'{}'",
        "`{}`",
        "*{}*",
        "name='{}'",
        "- {}",
        "|{}|",
        "l'adresse '{}'.",
        "\\u0027{}\\u0027",
        "one\\n{}\\ntwo",
        "%27{}%27",
        "&#39;{}&#39;",
    ],
)
@pytest.mark.parametrize(
    "address", ["anna.berg@example.org", "o'brien@example.org", "j\u00f6rg+shop@example.org", "_x1@example.org"]
)
def test_quotes_and_signs_around_an_address_stay(around: str, address: str) -> None:
    assert redact_text(around.format(address)) == (around.format("[redacted: e-mail]"), 1)


@pytest.mark.parametrize(
    "address", ["!#@example.org", "anna-@example.org", "anna+@example.org", "b-anna=example.org@lists.example.org"]
)
def test_unusual_addresses_are_removed(address: str) -> None:
    assert redact_text(f"Write to {address}.") == ("Write to [redacted: e-mail].", 1)


def test_numbers_beside_each_other_are_each_removed() -> None:
    text, count = redact_text("DE89370400440532013000 GB29NWBK60161331926819 then 4111111111111111 5500000000000004")
    assert (text, count) == ("[redacted: IBAN] [redacted: IBAN] then [redacted: card] [redacted: card]", 4)


@given(st.lists(st.integers(0, 9), min_size=11, max_size=18), st.sampled_from(["", " ", "-", "\u00a0", "."]))
def test_every_number_with_a_right_check_digit_is_a_card(digits: list[int], separator: str) -> None:
    check = next(digit for digit in range(10) if is_card_number([*digits, digit]) or not any([*digits, digit]))
    number = "".join(map(str, [*digits, check]))
    written = separator.join(number[start : start + 4] for start in range(0, len(number), 4))
    if any([*digits, check]):
        assert written not in redact_text(f"my card {written} please")[0]


@given(st.text(alphabet="abc .,;:!?\n", max_size=200))
def test_a_text_of_words_stays(text: str) -> None:
    assert redact_text(text) == (text, 0)


@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "a@", "@a.", "0-", "eyJ", "sk-", "DE89 ", "-----BEGIN PRIVATE KEY-----", "password:", "://a:"]
)
def test_a_hostile_text_takes_no_more_than_linear_time(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    redact_text(text)  # quadratic time would take hours
