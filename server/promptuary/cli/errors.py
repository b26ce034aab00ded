"""The errors of commands, beside those of files and prompts."""

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError


class NotInstalled(PromptuaryError):
    """A command needs a part that is not installed."""

    code = "not_installed"


class ApiRefused(Invalid):
    """The service refused a request; the message is its own."""

    code = "refused"


class ServiceUnreachable(PromptuaryError):
    """The service does not answer, or cannot."""

    code = "unreachable"


def service_error(status: int, code: str, message: str, field_errors: list[FieldError]) -> PromptuaryError:
    """Return the error of a command for one of the service: its HTTP status, its code, and what it reports."""
    if status >= 500:
        return ServiceUnreachable(message)
    refused = ApiRefused(message, field_errors)
    refused.code = code
    return refused
