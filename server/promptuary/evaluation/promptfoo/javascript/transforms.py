"""promptfoo's transforms as ours: JavaScript and Python, in the file or in files of their own."""

from collections.abc import Sequence
from typing import Any

from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.javascript.host_names import host_name_error
from promptuary.evaluation.javascript.script import JavaScriptFailed, Script
from promptuary.evaluation.javascript.source import module_source, transform_body
from promptuary.evaluation.promptfoo.files import SCHEME, PromptfooFolder, is_reference
from promptuary.evaluation.promptfoo.javascript.code_files import is_javascript, javascript_file
from promptuary.evaluation.promptfoo.providers import Provider, model_name
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.scorers.transforms.steps import PYTHON_FUNCTION, transform_error
from promptuary.models.model_spec import parse_model
from promptuary.prompt.errors import Invalid

PARSED_OUTPUT = "(() => { try { return JSON.parse(output) } catch { return output } })()"
"""What promptfoo makes of an output of OpenAI in the form of a schema: the value, where it is JSON."""
PYTHON_REMARK = "is Python, which is run only where an operator sets PROMPTUARY_CODE_SCORERS=true"


def read_transform(value: Any, folder: PromptfooFolder) -> RawObject:
    """Return a transform of promptfoo in our form.

    Raises:
        Unsupported: for a file that cannot be used, and for what a script does not have.
    """
    if not isinstance(value, str) or not value.strip():
        raise Unsupported("a transform is a text: an expression, or `file://…`")
    transform: RawObject = {"javascript": value}
    if is_reference(value):
        name, _, function = value.removeprefix(SCHEME).partition(":")
        if name.endswith(".py"):
            code = folder.text(folder.find(name)[0])
            transform = {"python": {"file": name, "function": function or PYTHON_FUNCTION, "code": code}}
        else:
            transform = {"javascript": javascript_file(value, folder)}
    if message := transform_error(transform):
        raise Unsupported(f"its transform {message}")
    return transform


def transform_of_test(options: RawObject, folder: PromptfooFolder) -> RawObject | None:
    """Return the transform of a test's options; None for none. `postprocess` is the older name.

    Raises:
        Unsupported: as `read_transform`.
    """
    value = options.get("transform") or options.get("postprocess")
    return read_transform(value, folder) if value else None


def model_transforms(
    providers: Sequence[Provider], models: Sequence[Any], folder: PromptfooFolder, report: TranslationReport
) -> RawObject:
    """Return the transforms of providers by the name of their model.

    Args:
        providers: of the file.
        models: the suite's; a provider whose model is not among them is left out.
        folder: of the file.
        report: records the outcome of each.
    """
    transforms: RawObject = {}
    for number, provider in enumerate(providers):
        steps = [{"javascript": PARSED_OUTPUT}] if _has_schema(provider) else []
        if not provider.transform and not steps:
            continue
        place = f"providers[{number}]"
        try:
            model = asked_model(provider, models)
            own = [read_transform(provider.transform, folder)] if provider.transform else []
            if model is not None:
                transforms[model] = [*steps, *own] if steps else own[0]
            if own and model is not None:
                report.carry("provider", "transform", place)
            elif own:
                report.leave("provider", "transform", "its model is not asked", place)
        except Unsupported as error:
            report.refuse("provider", "transform", str(error), place)
    return transforms


def _has_schema(provider: Provider) -> bool:
    """Return whether promptfoo parses the outputs of a provider: of OpenAI, in the form of a JSON Schema."""
    config: Any = provider.config
    form = config.get("response_format") if isinstance(config, dict) else None
    return provider.id.startswith("openai:") and isinstance(form, dict) and form.get("type") == "json_schema"


def asked_model(provider: Provider, models: Sequence[Any]) -> str | None:
    """Return a provider's model as results name it; None where a suite does not ask it.

    Raises:
        Unsupported: for a provider that is no model here.
    """
    name = model_name(provider.id)
    specs = [spec for model in models if (spec := parse_model(model)).name == name]
    labelled = [spec for spec in specs if provider.label is not None and spec.label == provider.label]
    return next((str(spec) for spec in (*labelled, *specs)), None)


def transformed_variables(value: Any, variables: RawObject, folder: PromptfooFolder, engine: JavaScriptEngine) -> RawObject:
    """Return variables with what a transform makes of them, computed now: what a dataset has are values.

    Raises:
        Unsupported: for a transform that cannot be run, fails, or returns no object.
    """
    if not isinstance(value, str):
        raise Unsupported("its `transformVars` is no text")
    script = _variables_script(value, folder)
    try:
        returned = engine.run(script, [variables, {"prompt": {}, "vars": variables}])
    except JavaScriptFailed as error:
        raise Unsupported(f"its `transformVars` failed: {error.message}") from None
    if not isinstance(returned.value, dict):
        raise Unsupported("its `transformVars` must return an object of variables")
    return {**variables, **returned.value}


def _variables_script(value: str, folder: PromptfooFolder) -> Script:
    if not is_reference(value):
        if missing := host_name_error(value):
            raise Unsupported(f"its `transformVars` needs what is not here: {missing}")
        return Script(transform_body(value), ("vars", "context", "process"))
    if not is_javascript(value):
        raise Unsupported("its `transformVars` names a file that is no JavaScript")
    file = javascript_file(value, folder)
    if missing := host_name_error(file["code"]):
        raise Unsupported(f"its `transformVars` needs what is not here: {missing}")
    try:
        return Script(source=module_source(file["file"], file["code"]), name=file["function"] or None)
    except Invalid as error:
        raise Unsupported(f"its `transformVars` {error.message}") from None
