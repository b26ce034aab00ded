"""The applications among a file's providers, in our form."""

import shlex
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.applications.function_source import PROMPTFOO_FUNCTION
from promptuary.evaluation.applications.spec import ALL_VARIABLES, PROMPTFOO, TargetSpec
from promptuary.evaluation.promptfoo.applications.http_provider import http_target
from promptuary.evaluation.promptfoo.files import SCHEME, PromptfooFolder
from promptuary.evaluation.promptfoo.javascript.transforms import read_transform
from promptuary.evaluation.promptfoo.providers import Provider
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.suites.target_files import inline_function
from promptuary.prompt.content import Content
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.validation_errors import field_errors_from

_PYTHON, _COMMAND = "python:", "exec:"
_HTTP = ("http", "https", "http://", "https://")


def is_application(provider: Provider) -> bool:
    """Return whether a provider is an application that can be asked here."""
    name = provider.id
    return name in _HTTP or name.startswith((*_HTTP[2:], _PYTHON, _COMMAND)) or _is_python_file(name)


def read_targets(
    providers: Sequence[Provider],
    contents: Sequence[tuple[Content, str]],
    folder: PromptfooFolder,
    report: TranslationReport,
    transforms: RawObject,
) -> list[RawObject]:
    """Return the applications in our form, each for every prompt; what is not supported is reported.

    Args:
        providers: of the file, all of which are applications.
        contents: its prompts with their labels.
        folder: of the file.
        report: records the outcome of each.
        transforms: gets each application's transform by its name.
    """
    targets: list[RawObject] = []
    for number, provider in enumerate(providers):
        place = f"providers[{number}]"
        try:
            application = _checked(_target(provider, folder, report, place))
            for position, (content, _) in enumerate(contents, 1):
                label = provider.label or TargetSpec.model_validate(application).label
                name = _unique(f"{label} · {position}" if len(contents) > 1 else label, targets)
                body = content.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
                if provider.transform:
                    transforms[name] = read_transform(provider.transform, folder)
                targets.append(_checked({"name": name, "prompt": body, **application}))
        except Unsupported as error:
            report.refuse("provider", provider.id[:60], str(error), place)
            continue
        report.carry("provider", provider.id[:60], place)
    return targets


def _target(provider: Provider, folder: PromptfooFolder, report: TranslationReport, place: str) -> RawObject:
    name, config = provider.id, folder.inline(provider.config)
    if not isinstance(config, dict):
        raise Unsupported("has a `config` that is no object")
    if name.startswith(_COMMAND):
        return {"exec": _command(name.removeprefix(_COMMAND), config, report, place)}
    if name.startswith(_PYTHON) or _is_python_file(name):
        return {"python": _function(name.removeprefix(_PYTHON), config, folder, report, place)}
    address = None if name in _HTTP else name
    return {"http": http_target(address, config, report, place)}


def _command(command: str, config: RawObject, report: TranslationReport, place: str) -> list[str]:
    for key in config:
        report.change("provider config", key, "reaches the command as an empty `config`", place)
    try:
        words = shlex.split(command)
    except ValueError:
        raise Unsupported("has a command whose quotes are not closed") from None
    if not words:
        raise Unsupported("names no command")
    return words


def _function(reference: str, config: RawObject, folder: PromptfooFolder, report: TranslationReport, place: str) -> RawObject:
    reference = reference.removeprefix(SCHEME)
    try:
        function = inline_function(reference, folder.root, PROMPTFOO_FUNCTION)
    except InvalidFile as error:
        raise Unsupported(f"names a file that cannot be used: {error.message}") from None
    settings: RawObject = {}
    if "pythonExecutable" in config:
        report.change("provider config", "pythonExecutable", "the interpreter of this program calls the function", place)
    if isinstance(workers := config.get("workers"), int):
        settings["workers"] = max(1, min(64, workers))
    if isinstance(timeout := config.get("timeout"), int | float) and timeout > 0:
        settings["timeout"] = timeout / 1000
    own = {key: value for key, value in config.items() if key not in ("pythonExecutable", "workers", "timeout")}
    return {"function": function, "config": own, "env": [ALL_VARIABLES], "semantics": PROMPTFOO, **settings}


def _is_python_file(name: str) -> bool:
    head, _, _ = name.rpartition(":")
    return name.startswith(SCHEME) and (name.endswith(".py") or head.endswith(".py"))


def _unique(name: str, targets: Sequence[RawObject]) -> str:
    """Return a name that no earlier application has."""
    name, names = name[:90], [target["name"] for target in targets]
    number = 2
    unique = name
    while unique in names:
        unique, number = f"{name} ({number})", number + 1
    return unique


def _checked(body: RawObject) -> RawObject:
    try:
        return dict(TargetSpec.model_validate(body).model_dump(mode="json"))
    except ValidationError as error:
        raise Unsupported("; ".join(map(str, field_errors_from(error)[:3]))) from None


def only_applications(providers: Sequence[Provider], report: TranslationReport) -> list[Provider]:
    """Return the applications among providers; a model beside them is refused, because a run has one kind of subject."""
    for number, provider in enumerate(providers):
        if not is_application(provider):
            why = "is no application, and others of the providers are: split the file"
            report.refuse("provider", provider.id[:60], why, f"providers[{number}]")
    return [provider for provider in providers if is_application(provider)]


def any_application(providers: Sequence[Any]) -> bool:
    """Return whether one of the providers is an application."""
    return any(is_application(provider) for provider in providers)
