from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from promptuary.traffic.redaction.stored_id import stored_id

KEY = b"k" * 32


def test_an_id_with_personal_data_is_stored_as_its_keyed_hash() -> None:
    stored = stored_id("ada@example.org", KEY)
    assert stored.startswith("hashed-")
    assert "ada" not in stored
    assert stored == stored_id("ada@example.org", KEY)
    assert stored != stored_id("ada@example.org", b"another key")
    assert stored_id("4111111111111111", KEY).startswith("hashed-")


def test_a_stored_id_stays_the_same_when_it_is_sent() -> None:
    stored = stored_id("ada@example.org", KEY)
    assert stored_id("chatcmpl-stub0034", KEY) == "chatcmpl-stub0034"
    assert stored_id(stored, KEY) == stored


@given(st.uuids(), st.binary(min_size=8, max_size=8))
def test_a_random_id_is_stored_as_it_is(uuid: UUID, span: bytes) -> None:
    for sent in (str(uuid), uuid.hex, uuid.hex + span.hex()):
        assert stored_id(sent, KEY) == sent
