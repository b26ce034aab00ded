"""The wire models of stored suites; a suite that is sent is `Suite` itself."""

from datetime import datetime
from typing import Annotated, Any

from promptuary.core.wire import ResponseModel, SchemaOf
from promptuary.evaluation.suites.suite import Suite


class SuiteOut(ResponseModel):
    """A suite as it is now."""

    name: str
    digest: str
    definition: Annotated[dict[str, Any], SchemaOf(Suite)]
    updated_at: datetime
