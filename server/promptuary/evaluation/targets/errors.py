"""What goes wrong with an application: it is set up wrongly, or it failed this time."""

from typing import Any

from promptuary.core.errors import Invalid, Unavailable


class ApplicationUnusable(Invalid):
    """An application cannot be used as it is set up: a wrong address, no permission, a page in place of an answer."""

    code = "application_unusable"


class ApplicationFailed(Unavailable):
    """An application did not answer, or answered with an error.

    Attributes:
        status_code: of the answer; None where there is none.
        response: the answer, whose headers may require a pause.
    """

    code = "application_failed"

    def __init__(self, message: str, status_code: int | None = None, response: Any = None) -> None:
        """Build the error from its sentence and the answer, if there is one."""
        super().__init__(message)
        self.status_code, self.response = status_code, response


class ApplicationUnreachable(ApplicationFailed):
    """Nothing answers at an application's address."""

    code = "application_unreachable"
