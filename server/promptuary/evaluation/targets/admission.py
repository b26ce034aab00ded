"""The check, before a run begins, that its applications may be asked in this process."""

from collections.abc import Iterator, Sequence

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.evaluation.applications.spec import ALL_VARIABLES, HttpSpec, TargetSpec
from promptuary.evaluation.applications.template import authority_of
from promptuary.evaluation.targets.http_scripts import OFF_MESSAGE
from promptuary.evaluation.targets.permissions import COMMAND_MESSAGE, TargetPermissions
from promptuary.prompt.errors import Invalid


def check_target(target: TargetSpec, permissions: TargetPermissions, place: str = "target") -> None:
    """Check one application.

    Raises:
        InvalidRequest: for what is not allowed, with its place.
    """
    errors = list(target_errors(target, permissions, place))
    if errors:
        raise InvalidRequest("the application cannot be asked here", errors)


def all_target_errors(targets: Sequence[TargetSpec], permissions: TargetPermissions) -> Iterator[FieldError]:
    """Yield what is not allowed in the applications of a suite."""
    for number, target in enumerate(targets):
        yield from target_errors(target, permissions, "target" if len(targets) == 1 else f"target.{number}")


def target_errors(target: TargetSpec, permissions: TargetPermissions, place: str) -> Iterator[FieldError]:
    """Yield what is not allowed in an application: its host, its code, a variable of the environment."""
    if target.http is not None:
        yield from _host_errors(target.http, permissions, f"{place}.http.url")
        yield from _variable_errors(sorted(target.http.environment_names()), permissions, f"{place}.http")
        for name in target.http.scripts() if not permissions.javascript else ():
            yield FieldError(f"{place}.http.{name}", OFF_MESSAGE)
    elif target.python is not None:
        if not permissions.code:
            yield FieldError(f"{place}.python", permissions.code_message)
        else:
            yield from _variable_errors(target.python.env, permissions, f"{place}.python.env")
    elif target.exec is not None and not permissions.commands:
        yield FieldError(f"{place}.exec", COMMAND_MESSAGE)


def _host_errors(spec: HttpSpec, permissions: TargetPermissions, place: str) -> Iterator[FieldError]:
    authority = authority_of(spec.url)
    if "{{" not in authority:  # else each request is checked
        try:
            permissions.hosts.check_url(authority)
        except Invalid as error:
            yield FieldError(place, error.message)


def _variable_errors(names: Sequence[str], permissions: TargetPermissions, place: str) -> Iterator[FieldError]:
    """Yield an error for each variable that may not be passed on, or, on the command line, is not set.

    On a server another process may execute the run, in an environment of its own.
    """
    for name in names:
        if name == ALL_VARIABLES:
            continue
        try:
            if permissions.command_line:
                permissions.read_variables([name])
            else:
                permissions.check_variable(name)
        except Invalid as error:
            yield FieldError(place, error.message)
