"""How the pages are started: on one address, without telemetry, traces or anything from elsewhere."""

import subprocess
import sys

import pytest

from promptuary_ui.launch import command, options
from promptuary_ui.settings import DEFAULT_URL, allowed_hosts, api_url

pytestmark = pytest.mark.process


def test_the_pages_listen_on_one_address_without_telemetry() -> None:
    streamlit_options = options("127.0.0.1", 8401)
    assert streamlit_options["server.address"] == "127.0.0.1"
    assert streamlit_options["server.port"] == 8401
    assert streamlit_options["browser.gatherUsageStats"] is False
    assert streamlit_options["client.showErrorDetails"] == "none"
    assert streamlit_options["server.headless"] is True
    assert streamlit_options["runner.postScriptGC"] is False


def test_every_option_is_one_that_streamlit_knows() -> None:
    from streamlit import config

    known = config.get_config_options()
    assert [name for name in options("127.0.0.1", 8401) if name not in known] == []


def test_the_command_starts_this_module_with_the_apis_address_in_its_environment() -> None:
    arguments, environment = command("127.0.0.1", 8401, "http://api.test")
    assert arguments == [sys.executable, "-m", "promptuary_ui.launch", "--host", "127.0.0.1", "--port", "8401"]
    assert environment == {"PROMPTUARY_URL": "http://api.test"}
    output = subprocess.run([*arguments[:3], "--help"], capture_output=True, text=True, check=True).stdout
    assert "--port" in output


def test_the_apis_address_is_the_local_one_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_url() == DEFAULT_URL
    monkeypatch.setenv("PROMPTUARY_URL", "https://prompts.test/")
    assert api_url() == "https://prompts.test"


def test_a_browser_comes_by_the_names_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options("10.0.0.5", 8401)["server.allowedHosts"] == ["10.0.0.5", "127.0.0.1", "[::1]", "localhost"]
    monkeypatch.setenv("PROMPTUARY_ALLOWED_HOSTS", "review.test, ")
    assert "review.test" in allowed_hosts("127.0.0.1")
