import pytest

from promptuary.api.problems.error_status import STATUS_BY_ERROR
from promptuary.api.problems.problem_format import TITLES
from promptuary.compat.error_format import NO_SUCH_PATH, error_format_of


@pytest.mark.parametrize("path", ["/v1/prompts", "/", "/api", "/api/publicity", "/api/2.0/mlflow-artifacts", "/api/2.0"])
def test_a_path_of_no_other_registry_has_no_error_format(path: str) -> None:
    assert error_format_of(path) is None


def test_langfuse_gets_a_400_for_an_error_that_a_retry_cannot_solve() -> None:
    error_format = error_format_of("/api/public/v2/prompts")
    assert error_format is not None
    for status in (409, 412, 422):
        assert error_format.convert(status, "conflict", "message") == (
            400,
            {"message": "message", "error": "InvalidRequestError"},
        )
    assert error_format.convert(429, "many", "message")[0] == 429
    assert error_format.convert(503, "busy", "message") == (503, {"message": "message", "error": "ServiceUnavailableError"})


def test_every_status_has_an_error_code_that_mlflow_knows() -> None:
    from mlflow.protos.databricks_pb2 import ErrorCode

    error_format = error_format_of("/api/2.0/mlflow/registered-models/get")
    assert error_format is not None
    for status in {*STATUS_BY_ERROR.values(), *TITLES}:
        converted, body = error_format.convert(status, "any", "message")
        assert body["message"] == "message"
        assert ErrorCode.Value(body["error_code"]) is not None
        assert (body["error_code"] == "INTERNAL_ERROR") is (status == 500)
        assert 400 <= converted < 600
    assert error_format.convert(409, "already_exists", "message") == (
        400,
        {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "message"},
    )
    assert error_format.convert(404, NO_SUCH_PATH, "message") == (
        404,
        {"error_code": "ENDPOINT_NOT_FOUND", "message": "message"},
    )
    assert error_format.convert(409, "conflict", "message")[1]["error_code"] == "RESOURCE_CONFLICT"
