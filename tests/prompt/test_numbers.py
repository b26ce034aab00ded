from datetime import UTC, datetime

import pytest

from promptuary.prompt.numbers import (
    parse_boolean,
    parse_decimal,
    parse_integer,
    parse_timestamp,
    parse_version_number,
    read_float,
    refuse_rounded,
)

OTHER_SPELLINGS = [
    "",
    "1_0",
    "+1",
    " 1",
    "1 ",
    "1\n",
    "\uff11",
    "\u0661",
    "\u00b2",
    "1.0",
    "01",
    "-01",
    "1e0",
    "0x1",
    "1,0",
    "one",
    "1" * 20,
    "--1",
    "-",
]


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("-3", -3), ("9" * 19, int("9" * 19))])
def test_an_integer_has_one_spelling(text: str, number: int) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize("text", OTHER_SPELLINGS)
def test_no_other_spelling_is_an_integer(text: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number in plain digits, such as 12"):
        parse_integer(text)
    assert parse_version_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("999999999", 999999999), ("0", None), ("-1", None), ("1000000000", None)]
)
def test_a_version_number_is_told_from_a_label(text: str, number: int | None) -> None:
    assert parse_version_number(text) == number


@pytest.mark.parametrize(("text", "number"), [("0.25", 0.25), ("-1", -1.0), ("1e-3", 0.001), ("0", 0.0)])
def test_a_decimal_is_written_as_in_json(text: str, number: float) -> None:
    assert parse_decimal(text) == number


@pytest.mark.parametrize(
    "text", ["", "1_0.5", "+1", " 1", ".5", "1.", "01", "inf", "nan", "1e999", "\uff11", "0x1p3", "9" * 310]
)
def test_no_other_spelling_is_a_decimal(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a number such as 0\.25"):
        parse_decimal(text)


def test_a_truth_value_is_true_or_false_and_nothing_like_it() -> None:
    assert [parse_boolean(text) for text in ("true", "True", "false", "False")] == [True, True, False, False]
    for text in ("1", "0", "yes", "on", "TRUE", "t", "", " true"):
        with pytest.raises(ValueError, match="must be true or false"):
            parse_boolean(text)


@pytest.mark.parametrize(
    "text", ["2026-03-02T12:00:00Z", "2026-03-02T12:00Z", "2026-03-02T13:00:00+01:00", "2026-03-02T12:00:00.000000000Z"]
)
def test_a_time_is_written_as_rfc_3339_has_it(text: str) -> None:
    assert parse_timestamp(text) == datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1772452800",
        "2026-03-02",
        "2026-03-02 12:00:00Z",
        "2026-03-02T12:00:00",
        "2026-02-30T12:00:00Z",
        "20260302T120000Z",
        "2026-03-02T12:00:00z",
        "2026-03-02T25:00:00Z",
        "\uff12026-03-02T12:00:00Z",
        "2026-03-02T12:00:00+0100",
        "-2026-03-02T12:00:00Z",
    ],
)
def test_no_other_spelling_is_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time with its zone, such as 2026-03-02T12:00:00Z"):
        parse_timestamp(text)


def test_a_plus_sign_that_a_query_made_a_space_is_explained() -> None:
    with pytest.raises(ValueError, match="write the plus sign as %2B"):
        parse_timestamp("2026-03-02T12:00:00 01:00")


@pytest.mark.parametrize("text", ["0.1", "0.30000000000000004", "5e-324", "1e22", "0e-999", "1.50", "1.7976931348623157e308"])
def test_a_number_that_a_double_keeps_is_that_number(text: str) -> None:
    number = read_float(text)
    assert (type(number), number) == (float, float(text))


@pytest.mark.parametrize("text", ["0.1000000000000000055", "3.14159265358979323846", "1e-400", "123456789012345678901.5"])
def test_a_number_that_a_double_does_not_keep_is_refused_in_contents(text: str) -> None:
    with pytest.raises(ValueError, match=r"^at 'a\.0', has more digits than a number keeps: it would come back as "):
        refuse_rounded({"a": [read_float(text)]})
