from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.models.model_spec import ModelSpec, column_name, model_spec
from promptuary.prompt.validation_errors import field_errors_from


def errors_of(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        ModelSpec.model_validate({"name": "openai:gpt-4o-mini"} | fields)
    return [f"{error.path}: {error.message}" for error in field_errors_from(refused.value)]


def test_a_model_has_the_settings_that_are_written() -> None:
    spec = ModelSpec.model_validate({"name": "openai:a", "label": "short", "max_tokens": 16, "temperature": 0})
    assert spec.config == {"max_tokens": 16, "temperature": 0}
    assert spec.model_dump(mode="json") == {"name": "openai:a", "label": "short", "temperature": 0.0, "max_tokens": 16}
    assert model_spec("openai:a").config == {}


@pytest.mark.parametrize(
    ("fields", "title", "column"),
    [
        ({}, "openai:a", "openai:a"),
        ({"max_tokens": 5}, "openai:a", "openai:a"),
        ({"label": "short"}, "openai:a (short)", "short"),
        ({"base_url": "http://gpu:8000/v1"}, "openai:a (gpu:8000)", "openai:a (gpu:8000)"),
        ({"base_url": "http://gpu:8000/v1", "label": "vllm"}, "openai:a (vllm)", "vllm"),
    ],
)
def test_results_name_a_model_with_its_label_or_address(fields: dict[str, Any], title: str, column: str) -> None:
    spec = ModelSpec.model_validate({"name": "openai:a", **fields})
    assert (str(spec), column_name(spec)) == (title, column)


def test_errors_name_the_field_and_the_remedy() -> None:
    assert errors_of(api_key="sk-1") == ["api_key: is not a known field"]
    assert errors_of(base_url="gpu:8000") == [
        "base_url: must be the base URL of the model's API, as in http://127.0.0.1:8000/v1"
    ]
    for url in ("http://me:secret@gpu/v1", "http://gpu/v1?key=1", "http://gpu/v1#x"):
        assert "takes no user, password, query or fragment" in errors_of(base_url=url)[0]
    assert "`model`, which is a setting" in errors_of(extra_body={"model": "other"})[0]
    assert "`max_tokens`, which is a setting" in errors_of(extra_body={"max_tokens": 10_000_000})[0]
    assert "is not a known provider" in errors_of(name="evil:x")[0]
