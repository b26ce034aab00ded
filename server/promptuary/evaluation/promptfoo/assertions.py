"""promptfoo's assertions as scorers of a case: their values filled, and each checked as a suite's scorer is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.javascript.host_names import host_name_error
from promptuary.evaluation.promptfoo.files import SCHEME, YAML_SUFFIXES, PromptfooFolder, is_code, is_reference
from promptuary.evaluation.promptfoo.javascript.code_files import javascript_file
from promptuary.evaluation.promptfoo.javascript.transforms import PYTHON_REMARK, read_transform
from promptuary.evaluation.promptfoo.raw import LIST_TYPES, RawObject, value_type_error
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.table_row import ASSERTION_TYPES, SPECIAL_ASSERTION_TYPES
from promptuary.evaluation.promptfoo.template import BrokenTemplate, escape_mustache, fill_template, to_javascript_texts
from promptuary.evaluation.promptfoo.tests import ExpandedTest
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.invalid_value import invalid_value
from promptuary.evaluation.scorers.score import metric_name
from promptuary.evaluation.scorers.scorer_type import NoValue, ScorerType
from promptuary.evaluation.scorers.spec import INVERSE
from promptuary.evaluation.scorers.value_template import split_list
from promptuary.evaluation.suites.unfailing import matches_everything
from promptuary.prompt.errors import Invalid
from promptuary.prompt.validation_errors import field_errors_from

TYPE_ALIASES: Mapping[str, str] = {
    "model-graded-factuality": "factuality",
    "similar:cosine": "similar",
    "similar:dot": "similar",
}
"""Types that have another name here and mean the same; our vectors have unit length, so their product is the cosine."""
TRAJECTORY_REMARK = "is about the calls that the model makes or the application states in `tool_calls`, not spans of a trace"
CODE_TYPES = ("javascript", "python", "ruby")
EMPTY_TEMPLATE = "{{! nothing }}"
"""A template that comes to nothing: an empty text is no value that a suite may have by itself."""
JSON_TYPES = ("is-json", "contains-json")
PASSING_WITHOUT_THRESHOLD = (
    *("answer-relevance", "context-faithfulness", "context-recall", "context-relevance", "perplexity", "perplexity-score"),
)
"""Types that pass with every score where no threshold is set."""
TRANSFORM_KEYS = ("transform", "contextTransform")
_KEYS = frozenset(
    {
        *("type", "value", "threshold", "weight", "metric", "provider", "rubricPrompt", "config", "assert"),
        *TRANSFORM_KEYS,
    }
)


def _spec_errors(spec: RawObject) -> dict[str, str]:
    """Return what is wrong with a case's scorer, by field."""
    try:
        CaseIn.model_validate({"id": "case", "vars": {}, "assert": [spec]})
    except ValidationError as error:
        return {each.path.removeprefix("assert.0").lstrip("."): each.message for each in field_errors_from(error)}
    return {}


@dataclass(frozen=True)
class AssertionTranslator:
    """Turns the assertions of tests into scorers.

    Attributes:
        folder: where files are that values name.
        report: records the outcome of each.
        model: gives our name of a grader that the file names.
        judge: the model that judges where the file names none.
    """

    folder: PromptfooFolder
    report: TranslationReport
    model: Callable[[Any], str | RawObject]
    judge: str | RawObject | None = None

    def of(self, row: ExpandedTest, values: RawObject) -> list[RawObject]:
        """Return a test's scorers; `values` are its variables as assertions see them."""
        return list(self._all(row.asserts, row, values, row.place))

    def _all(self, asserts: list[Any], row: ExpandedTest, values: RawObject, place: str) -> Iterator[RawObject]:
        for number, assertion in enumerate(asserts):
            here = f"{place}.assert[{number}]"
            name = str(assertion.get("type")) if isinstance(assertion, dict) else "?"
            try:
                if not isinstance(assertion, dict) or not isinstance(assertion.get("type"), str):
                    raise Unsupported("an assertion is an object with a `type`")
                spec = self._translate(assertion, row, values, here)
            except Unsupported as error:
                self.report.refuse("assertion", name, str(error), here)
            else:
                if spec is not None:
                    self.report.carry("assertion", name, here)
                    yield spec

    def _translate(self, assertion: RawObject, row: ExpandedTest, values: RawObject, place: str) -> RawObject | None:
        inverse = assertion["type"].startswith(INVERSE)
        promptfoo_name = assertion["type"].removeprefix(INVERSE)
        name = promptfoo_name if find_scorer_type(promptfoo_name) else TYPE_ALIASES.get(promptfoo_name, promptfoo_name)
        kind = find_scorer_type(name)
        if kind is None:
            known = promptfoo_name in (*ASSERTION_TYPES, *SPECIAL_ASSERTION_TYPES)
            raise Unsupported("has no scorer here" if known else "is no type that is known, of promptfoo's or ours")
        for key in assertion:
            if key not in _KEYS or (kind.nested and key in TRANSFORM_KEYS):
                self.report.leave("assertion", promptfoo_name, f"promptfoo reads no `{key}` of an assertion, either", place)
        spec: RawObject = {"type": (INVERSE if inverse else "") + name}
        if assertion.get("weight") is not None:
            spec["weight"] = assertion["weight"]
        if assertion.get("metric"):
            spec["name"] = self._metric(str(assertion["metric"]), values, place)
        if kind.nested:
            inner = assertion.get("assert")
            if any(isinstance(nested, dict) and nested.get("type") == assertion["type"] for nested in inner or ()):
                raise Unsupported("stands in another set, which promptfoo has no rule for")
            spec["assert"] = list(self._all(inner if isinstance(inner, list) else [], row, values, place))
            if not spec["assert"]:
                return None  # what was in it is reported, each on its own
        else:
            spec |= self._value(assertion, name, kind, values, place) | self._transforms(assertion, kind, place)
        if assertion.get("threshold") is not None:
            if kind.threshold is not None:
                spec["threshold"] = assertion["threshold"]
            elif name != "starts-with" or assertion["threshold"] != 0.75:  # which rows of tables always have
                self.report.leave("assertion", assertion["type"], "its `threshold` means nothing in promptfoo, either", place)
        elif name in PASSING_WITHOUT_THRESHOLD:
            why = "has no threshold, so that it passes with any score, as in promptfoo; set one if it is to fail"
            self.report.change("assertion", assertion["type"], why, place)
        spec |= self._grading(assertion, name, kind, row, place)
        if errors := _spec_errors(spec):
            raise Unsupported("; ".join(f"{path} {message}".strip() for path, message in list(errors.items())[:3]))
        return spec

    def _transforms(self, assertion: RawObject, kind: ScorerType[Any, Any], place: str) -> RawObject:
        """Return the transforms of an assertion: of the output, and of the context that a judge reads."""
        transforms: RawObject = {}
        if assertion.get("transform"):
            transforms["transform"] = read_transform(assertion["transform"], self.folder)
        if assertion.get("contextTransform"):
            if kind.reads_context:
                transforms["context_transform"] = read_transform(assertion["contextTransform"], self.folder)
            else:
                self.report.leave("assertion", assertion["type"], "its `contextTransform` means nothing to it", place)
        if any("python" in transform for transform in transforms.values()):
            self.report.change("assertion", "transform", PYTHON_REMARK, place)
        return transforms

    def _metric(self, metric: str, values: RawObject, place: str) -> str:
        name = fill_template(metric, values)
        known_name = metric_name(name)
        if known_name != name:
            self.report.change("metric", name[:60], f"is called '{known_name}' here", place)
        return known_name

    def _value(self, assertion: RawObject, name: str, kind: ScorerType[Any, Any], values: RawObject, place: str) -> RawObject:
        value = assertion.get("value")
        if name in JSON_TYPES:
            return {"value": self._filled(value, values), "config": {"dialect": "ajv-draft-07"}}
        if value is None and "value" in assertion and (error := value_type_error(name, None)):
            return self._invalid(assertion["type"], error, place)
        if value is None:
            return {"value": None} if name == "equals" and "value" in assertion else {}
        if name == "javascript":
            return {"value": self._javascript(value, values, place)}
        if name == "python":
            self.report.change("assertion", name, "is run only where an operator sets PROMPTUARY_CODE_SCORERS=true", place)
            return {"value": self._code(value, values)}
        if name == "webhook":
            self.report.change("assertion", name, "is asked only where PROMPTUARY_WEBHOOK_HOSTS names its host", place)
        if name.startswith("trajectory:"):
            self.report.change("assertion", assertion["type"], TRAJECTORY_REMARK, place)
        if kind.value is NoValue:
            if value not in ("", 0):
                self.report.leave("assertion", assertion["type"], "its `value` means nothing in promptfoo, either", place)
            return {}
        filled = self._filled(value, values)
        if filled == "" and kind.value_error(filled) is not None:
            why = "its value is empty for some test: it is an error there, as in promptfoo, and no verdict"
            self.report.change("assertion", assertion["type"], why, place)
            return {"value": EMPTY_TEMPLATE}
        if error := value_type_error(name, filled):
            return self._invalid(assertion["type"], error, place)
        if name == "regex" and matches_everything(filled):
            self._unfailing(assertion["type"], "its pattern matches the empty text", place)
        if name in LIST_TYPES and "" in (filled if isinstance(filled, list) else _listed(filled)):
            filled = filled if isinstance(filled, list) else _listed(filled)
            self._unfailing(assertion["type"], "one of its texts is empty", place)
        filled = escape_mustache(to_javascript_texts(filled) if name in LIST_TYPES and isinstance(filled, list) else filled)
        return {"value": [EMPTY_TEMPLATE if item == "" else item for item in filled] if isinstance(filled, list) else filled}

    def _unfailing(self, assertion_type: str, reason: str, place: str) -> None:
        why = f"{reason}, which every output has: it is taken as it is, as in promptfoo, and tests nothing"
        self.report.change("assertion", assertion_type, why, place)

    def _invalid(self, assertion_type: str, error: str, place: str) -> RawObject:
        """Return the value of a scorer that is an error for its test, where promptfoo has an error too."""
        self.report.change(
            "assertion", assertion_type, f"{error}: it is an error there, as in promptfoo, and no verdict", place
        )
        return {"value": invalid_value(error)}

    def _code(self, value: Any, values: RawObject) -> Any:
        """Return Python as a scorer takes it: the text, or the content of a file with the function that is called."""
        if not is_reference(value):
            return fill_template(value, values) if isinstance(value, str) else value
        name, _, function = value.removeprefix(SCHEME).partition(":")
        return {"file": name, "function": function or "get_assert", "code": self.folder.text(self.folder.find(name)[0])}

    def _javascript(self, value: Any, values: RawObject, place: str) -> Any:
        """Return JavaScript as a scorer takes it: the filled text, or a file's content with the function that is called."""
        if is_reference(value):
            return javascript_file(value, self.folder)
        if not isinstance(value, str):
            raise Unsupported("its value is no text")
        try:
            code = fill_template(value, values)
        except BrokenTemplate as error:
            why = "its value is no template: it is an error there, as in promptfoo, and no verdict"
            self.report.change("assertion", "javascript", why, place)
            return invalid_value(str(error))
        if missing := host_name_error(code):
            raise Unsupported(f"needs what is not here: {missing}")
        return escape_mustache(code)

    def _filled(self, value: Any, values: RawObject) -> Any:
        """Fill a text, or the texts of a list; objects stand as they are, as promptfoo leaves them."""
        if is_reference(value):
            if is_code(value):
                raise Unsupported("its value is made by code, which is not run here")
            path = self.folder.find(value)[0]
            if path.suffix in (*YAML_SUFFIXES, ".json"):
                return self.folder.value(path)
            if path.suffix != ".txt":
                raise Unsupported(f"its value is a file of {path.suffix}; taken are .json, .yaml and .txt")
            return self.folder.text(path).strip()
        if isinstance(value, str):
            return fill_template(value, values)
        if isinstance(value, list):
            return [self._filled(item, values) if isinstance(item, str) else item for item in value]
        return value

    def _grading(self, assertion: RawObject, name: str, kind: ScorerType[Any, Any], row: ExpandedTest, place: str) -> RawObject:
        """Return the model that judges, and the settings of scorers that have some."""
        grading: RawObject = {}
        config = dict(assertion.get("config") or {})
        if name == "similar":
            why = "is measured by the embedding model of this server (PROMPTUARY_EMBEDDING_MODEL); its scores are others"
            self.report.change("grader", "similar", why, place)
        if kind.judged:
            grader = assertion.get("provider") or row.options.get("provider")
            if grader is None and self.judge is None:
                raise Unsupported("the file names no grader, where promptfoo asks OpenAI: set --judge MODEL")
            grading["model"] = self.judge or self.model(grader)
            config |= self._instruction(assertion.get("rubricPrompt") or row.options.get("rubricPrompt"), name, place)
            if name == "factuality" and isinstance(scores := row.options.get("factuality"), dict):
                config |= scores
        if not config:
            return grading
        problem = "has no further settings here" if kind.config is None else kind.config_error(config)
        if problem is None:
            return grading | {"config": config}
        if kind.judged or name in (*CODE_TYPES, "webhook"):
            raise Unsupported(f"its settings cannot be carried: {problem}")
        self.report.leave("assertion", assertion["type"], "its `config` means nothing to it", place)
        return grading

    def _instruction(self, rubric: Any, name: str, place: str) -> RawObject:
        """Return a grader's prompt as a judge's instruction; output and rubric are added beside it here."""
        if rubric is None:
            return {}
        text = self.folder.inline(rubric)
        if not isinstance(text, str) or "{{" in text or "{%" in text:
            raise Unsupported(
                "its `rubricPrompt` is a whole prompt; a judge takes an instruction, and is shown the rest beside it"
            )
        self.report.change("grader", name, "its `rubricPrompt` is the judge's instruction here", place)
        return {"prompt": text}


def _listed(value: Any) -> list[str]:
    """Return the texts of a text that stands for a list; none where it cannot be read."""
    try:
        return split_list(value) if isinstance(value, str) and not value.lstrip().startswith("[") else []
    except Invalid:
        return []
