import pytest

from promptuary.api.problems import STATUS_BY_ERROR, TITLES
from promptuary.compat.error_format import NO_SUCH_PATH, error_format_of
from promptuary.compat.names import dotted


@pytest.mark.parametrize("path", ["/v1/prompts", "/", "/api", "/api/publicity", "/api/2.0/mlflow-artifacts", "/api/2.0"])
def test_a_path_that_is_not_another_registrys_has_no_shape(path: str) -> None:
    assert error_format_of(path) is None


def test_an_error_that_an_sdk_would_try_again_in_vain_is_a_400_for_langfuse() -> None:
    shape = error_format_of("/api/public/v2/prompts")
    assert shape is not None
    for status in (409, 412, 422):
        assert shape.answer(status, "conflict", "said") == (400, {"message": "said", "error": "InvalidRequestError"})
    assert shape.answer(429, "many", "said")[0] == 429
    assert shape.answer(503, "busy", "said") == (503, {"message": "said", "error": "ServiceUnavailableError"})


def test_every_status_of_ours_has_a_word_that_mlflow_knows() -> None:
    from mlflow.protos.databricks_pb2 import ErrorCode

    shape = error_format_of("/api/2.0/mlflow/registered-models/get")
    assert shape is not None
    for status in {*STATUS_BY_ERROR.values(), *TITLES}:
        sent, body = shape.answer(status, "any", "said")
        assert body["message"] == "said"
        assert ErrorCode.Value(body["error_code"]) is not None
        assert (body["error_code"] == "INTERNAL_ERROR") is (status == 500)
        assert 400 <= sent < 600
    assert shape.answer(409, "already_exists", "said") == (400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "said"})
    assert shape.answer(404, NO_SUCH_PATH, "said") == (404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "said"})
    assert shape.answer(409, "conflict", "said")[1]["error_code"] == "RESOURCE_CONFLICT"


@pytest.mark.parametrize(
    ("name", "ours"), [("a/b", "a.b"), ("a.b", "a.b"), ("a//b", "a//b"), ("/a", "/a"), ("a/", "a/"), ("", ""), ("a", "a")]
)
def test_a_folder_is_a_dot_and_an_empty_one_stays(name: str, ours: str) -> None:
    assert dotted(name) == ours
