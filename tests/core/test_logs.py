import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from promptuary.access.api_key import generate_key

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def level() -> str:
    """The level that the process is set up with, unless a test sets another."""
    return "INFO"


@pytest.fixture
def lines(log_lines: Callable[[str], Callable[[], str]], level: str) -> Lines:
    """The log lines so far; the process's logging is as before when the test ends."""
    read = log_lines(level)
    return lambda: [json.loads(line) for line in read().splitlines()]


def test_an_event_is_one_line_of_json_with_its_level_name_and_time(lines: Lines) -> None:
    structlog.get_logger("some.part").info("label moved", prompt="a", version=2)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "label moved", "prompt": "a", "version": 2, "level": "info", "logger": "some.part"}


def test_the_standard_librarys_events_come_in_the_same_form(lines: Lines) -> None:
    # no library's own logger: Streamlit, once imported by any test, keeps those of uvicorn to itself
    logging.getLogger("somebodys.package").info("Started %s", "server")
    assert [(line["event"], line["logger"]) for line in lines()] == [("Started server", "somebodys.package")]


@pytest.mark.parametrize("name", ["authorization", "Authorization", "key", "api_key", "password", "token", "secret"])
def test_what_is_named_like_a_secret_is_blanked(lines: Lines, name: str) -> None:
    structlog.get_logger("t").info("x", **{name: "hunter2"})
    assert lines()[0][name] == "[redacted]"


def test_an_api_key_is_blanked_wherever_it_stands(lines: Lines) -> None:
    key = str(generate_key())
    log = structlog.get_logger("t")
    log.info(f"seen {key}", path=f"/v1/x?k={key}", headers={"authorization": [f"Bearer {key}"]}, raw=key.encode())
    logging.getLogger("urllib3").warning("GET /?key=%s", key)
    try:
        raise ValueError(f"bad key {key}")
    except ValueError:
        log.exception("failed")
    written = lines()
    assert len(written) == 3
    assert key not in json.dumps(written)
    assert key.split("_")[2] not in json.dumps(written)
    assert "bad key pmt_[redacted]" in written[2]["exception"]


def test_an_api_key_that_was_sent_as_a_password_is_blanked_too(lines: Lines) -> None:
    sent = base64.b64encode(f"pk-default:{generate_key()}".encode()).decode()
    structlog.get_logger("t").info("request", headers=[("Authorization", f"Basic {sent}")])
    structlog.get_logger("t").info("Basic understanding of the product")
    written = json.dumps(lines())
    assert sent not in written
    assert "Basic [redacted]" in written
    assert "Basic understanding of the product" in written


def test_chatty_libraries_are_heard_from_warnings_on(lines: Lines) -> None:
    logging.getLogger("httpx").info("HTTP Request: …")
    logging.getLogger("httpx").warning("retry")
    assert [line["event"] for line in lines()] == ["retry"]


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    structlog.get_logger("t").debug("x")
    assert lines() == []


@pytest.mark.parametrize("level", ["DEBUG"])
def test_debug_lines_of_libraries_are_dropped_since_they_contain_requests(lines: Lines) -> None:
    logging.getLogger("openai._base_client").debug("Request options: %s", {"messages": ["hunter2"]})
    logging.getLogger("somebodys.package").info("heard")
    structlog.get_logger("promptuary.some.part").debug("ours")
    assert [line["event"] for line in lines()] == ["heard", "ours"]


@pytest.mark.parametrize("level", ["ERROR"])
def test_a_level_above_info_is_for_all(lines: Lines) -> None:
    for name in ("promptuary.some.part", "somebodys.package", "httpx"):
        logging.getLogger(name).warning("not heard")
        logging.getLogger(name).error("heard")
    assert [line["event"] for line in lines()] == ["heard"] * 3
