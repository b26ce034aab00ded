import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.access.api_key import ApiKey, generate_key, parse_key

KEY = "pmt_" + "a" * 12 + "_" + "b" * 40


def test_a_key_has_the_published_form_and_its_checksum() -> None:
    text = str(generate_key())
    assert re.fullmatch(r"pmt_[A-Za-z0-9]{12}_[A-Za-z0-9]{40}[0-9a-f]{8}", text)
    assert text[-8:] == f"{zlib.crc32(text[:-8].encode()):08x}"
    assert str(ApiKey("a" * 12, "b" * 40)) == KEY + "278a67a9"


def test_a_key_is_read_back_and_matches_its_hash_alone() -> None:
    key, other = generate_key(), generate_key()
    again = parse_key(str(key))
    assert again == key
    assert again.matches(key.secret_hash())
    assert not again.matches(other.secret_hash())
    assert not again.matches("")


def test_no_two_keys_are_alike() -> None:
    assert len({str(generate_key()) for _ in range(200)}) == 200


def test_neither_the_hash_nor_the_representation_gives_the_secret_away() -> None:
    key = generate_key()
    assert key.secret not in key.secret_hash()
    assert key.secret not in repr(key)


@given(st.data())
def test_a_single_wrong_character_is_found_by_the_checksum(data: st.DataObject) -> None:
    text = str(ApiKey("a" * 12, "b" * 40))
    at = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.characters(codec="ascii").filter(lambda character: character != text[at]))
    assert parse_key(text[:at] + wrong + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "pmt_", KEY, KEY + "00000000", str(ApiKey("é" * 12, "b" * 40)), "x" * 100_000])
def test_what_is_no_key_is_none(text: str) -> None:
    assert parse_key(text) is None


def test_a_trailing_line_break_is_no_part_of_a_key() -> None:
    assert parse_key(str(generate_key()) + "\n") is None
