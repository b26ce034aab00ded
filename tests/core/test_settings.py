from pathlib import Path

import pytest

from promptuary.core.settings import InvalidSettings, Settings, read_settings


def test_without_any_variable_everything_is_in_one_data_directory() -> None:
    settings = read_settings()
    assert settings.data_dir == Path.home() / ".local" / "share" / "promptuary"
    assert settings.sql_url == f"sqlite:///{settings.data_dir}/promptuary.db"
    assert settings.tracking_uri == f"sqlite:///{settings.data_dir}/mlflow.db"
    assert (settings.host, settings.port, settings.ui_port) == ("127.0.0.1", 8400, 8401)
    assert settings.body_limit == 1024 * 1024


def test_a_variable_sets_a_field_and_what_is_given_takes_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTUARY_PORT", "9000")
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path))
    assert read_settings().port == 9000
    assert read_settings(port=9001, host=None).port == 9001
    assert read_settings().sql_url == f"sqlite:///{tmp_path}/promptuary.db"


def test_jinja2_is_off_until_it_is_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().jinja2 is False
    monkeypatch.setenv("PROMPTUARY_JINJA2", "true")
    assert read_settings().jinja2 is True


def test_every_wrong_variable_is_named_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_PORT", "hunter2")
    monkeypatch.setenv("PROMPTUARY_PAGE_LIMIT", "0")
    monkeypatch.setenv("PROMPTUARY_CASE_TIMEOUT", "nan")
    with pytest.raises(InvalidSettings) as raised:
        read_settings()
    assert [error.path for error in raised.value.field_errors] == [
        "PROMPTUARY_PORT",
        "PROMPTUARY_PAGE_LIMIT",
        "PROMPTUARY_CASE_TIMEOUT",
    ]
    assert "hunter2" not in str(raised.value)


def test_the_databases_password_is_not_in_the_settings_text() -> None:
    settings = read_settings(database_url="postgresql://u:hunter2@h/x")
    assert "hunter2" not in repr(settings)
    assert settings.sql_url == "postgresql://u:hunter2@h/x"


def test_the_hosts_are_loopback_the_bound_address_and_the_named_ones() -> None:
    hosts = read_settings(host="10.0.0.5", allowed_hosts="prompts.example.org, other ,").hosts
    assert hosts == {"127.0.0.1", "localhost", "[::1]", "10.0.0.5", "prompts.example.org", "other"}


def test_every_setting_has_a_default_so_that_a_bare_start_works() -> None:
    assert all(not field.is_required() for field in Settings.model_fields.values())


@pytest.mark.parametrize("name", ["public_url", "public_ui_url"])
def test_a_public_address_is_an_address(name: str) -> None:
    assert getattr(read_settings(**{name: "https://prompts.example.org/x"}), name) == "https://prompts.example.org/x"
    for wrong in ("prompts.example.org", "javascript:alert(1)", "https://a b", "https://a/?q=1"):
        with pytest.raises(InvalidSettings):
            read_settings(**{name: wrong})


def test_rate_limits_are_json_by_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_RATE_LIMITS", '{"openai": {"requests_per_minute": 500, "tokens_per_minute": 90000}}')
    limit = read_settings().rate_limits["openai"]
    assert (limit.requests_per_minute, limit.tokens_per_minute) == (500, 90_000)


@pytest.mark.parametrize("value", ["500", "{", '{"openai": {"requests": 5}}', '{"openai": {"requests_per_minute": 0}}'])
def test_rate_limits_that_are_none_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PROMPTUARY_RATE_LIMITS", value)
    with pytest.raises(InvalidSettings) as refused:
        read_settings()
    assert refused.value.field_errors[0].path.startswith("PROMPTUARY_RATE_LIMITS")
