"""What applications may do in this process: which hosts are asked, which variables they get, whether code is run."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from promptuary.core.allowed_hosts import AllowedHosts
from promptuary.core.settings import Settings, read_secret, secret_names
from promptuary.evaluation.applications.spec import ALL_VARIABLES
from promptuary.prompt.errors import Invalid

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
CODE_MESSAGE = "is code, which is not run here; an operator can allow it by PROMPTUARY_CODE_SCORERS=true"
CODE_ON_COMMAND_LINE = "is code, which is run with --allow-code only"
COMMAND_MESSAGE = "is a command, which only `promptuary eval run --allow-code` without a server runs"


@dataclass(frozen=True)
class TargetPermissions:
    """The permissions of applications.

    Attributes:
        hosts: that may be asked.
        variables: of the environment that may be passed on; None for all but this program's own.
        code: whether Python functions are run.
        commands: whether commands are run.
        code_folders: where the modules of functions are, beside the installed ones.
        javascript: whether expressions are run.
        command_line: whether a person at a terminal runs this process, so that its environment is the run's.
    """

    hosts: AllowedHosts
    variables: frozenset[str] | None = frozenset()
    code: bool = False
    commands: bool = False
    code_folders: tuple[str, ...] = ()
    javascript: bool = True
    command_line: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Build the permissions that the settings grant."""
        return cls(
            hosts=AllowedHosts(settings.allowed_target_hosts),
            variables=settings.allowed_target_variables,
            code=settings.code_scorers,
            commands=settings.code_scorers and settings.command_line,
            code_folders=tuple(filter(None, settings.code_path.split(os.pathsep))),
            javascript=settings.javascript,
            command_line=settings.command_line,
        )

    @property
    def code_message(self) -> str:
        """Why a Python function is not run."""
        return CODE_ON_COMMAND_LINE if self.command_line else CODE_MESSAGE

    def check_variable(self, name: str) -> None:
        """Check that a variable of the environment may be passed on.

        Raises:
            Invalid: where it may not.
        """
        if name.upper().startswith("PROMPTUARY_"):
            raise Invalid(f"the variable {name} is this program's own, and is not passed on")
        if self.variables is not None and name not in self.variables:
            raise Invalid(f"the variable {name} is not passed on here; an operator can list it in PROMPTUARY_TARGET_VARIABLES")

    def secrets_of(self, names: Iterable[str], values: Mapping[str, str]) -> list[str]:
        """Return the values that must not stand in a result: those of variables that are named, or that are called as a secret.

        Args:
            names: of the variables; `*` stands for all that may be passed on.
            values: of the variables, as `read_variables` returned them.
        """
        named = set(names)
        return [value for name, value in values.items() if name in named or _SECRET_NAME.search(name)]

    def read_variables(self, names: Iterable[str]) -> dict[str, str]:
        """Return the values of variables of the environment.

        Args:
            names: of the variables; `*` stands for all that may be passed on.

        Raises:
            Invalid: for one that may not be passed on, or is not set.
        """
        values: dict[str, str] = {}
        for name in names:
            if name == ALL_VARIABLES:
                allowed = secret_names() if self.variables is None else sorted(self.variables)
                values |= {each: value for each in allowed if (value := read_secret(each)) is not None}
                continue
            self.check_variable(name)
            value = read_secret(name)
            if value is None:
                raise Invalid(f"the variable {name} of the environment is not set where the run is executed")
            values[name] = value
        return values
