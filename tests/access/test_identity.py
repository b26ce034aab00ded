import unicodedata

import pytest

from promptuary.access.identity import display_name_error, fold_name, is_identity, person_name_error


@pytest.mark.parametrize("name", ["Dana", "Zoë Ångström", "李小龍", "Анна", "d'Arc, J.", "a reader", "42", "नेहा", "🦊"])
def test_a_name_has_what_people_write_in_names(name: str) -> None:
    assert person_name_error(name) is None


@pytest.mark.parametrize(
    "hidden",
    [
        "\x00",
        "\n",
        "\t",
        "\x7f",
        "\u200b",
        "\u200c",
        "\u200d",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\u2028",
        "\u00a0",
        "\u3164",
        "\u115f",
        "\u2800",
        "\ufe0f",
        "\U000e0041",
        "\ue000",
        "\u034f",
        "\u0378",
    ],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_a_name_has_no_character_that_is_not_seen(hidden: str) -> None:
    for name in (f"Da{hidden}na", f"{hidden}Dana", f"Dana{hidden}"):
        assert display_name_error(name) is not None
        assert person_name_error(name) is not None


@pytest.mark.parametrize("name", ["", " ", " Dana", "Dana ", "x" * 201])
def test_a_name_is_neither_blank_nor_padded_nor_endless(name: str) -> None:
    assert display_name_error(name) is not None


@pytest.mark.parametrize(
    "name", ["key:Dana", "service:x", "\uff4b\uff45\uff59\uff1ax", "local", "Worker", "\uff2c\uff2f\uff23\uff21\uff2c"]
)
def test_a_persons_name_is_not_that_of_a_service_or_of_the_server(name: str) -> None:
    assert person_name_error(name) is not None


@pytest.mark.parametrize("other", ["dana", "DANA", "\uff24\uff41\uff4e\uff41", "ⓓana", "D\u0061na", "  dana "])
def test_names_that_differ_by_case_or_form_fold_to_one(other: str) -> None:
    assert fold_name(other) == fold_name("Dana")


def test_composed_and_decomposed_letters_fold_to_one() -> None:
    assert fold_name(unicodedata.normalize("NFD", "Zoë")) == fold_name("ZOË")
    assert fold_name("Straße") == fold_name("STRASSE")
    assert fold_name("Dana") != fold_name("Dona")


def test_only_people_and_services_have_the_form_of_an_identity() -> None:
    assert is_identity("person:person_aB3")
    assert is_identity("service:aB3")
    assert not any(map(is_identity, ("key:Dana", "local", "person:", "person:a b", "schedule:nightly", "Dana")))
