"""The transforms of a run: the model's or application's, then the case's or else the suite's, before anything is scored."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import JsonValue

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import OutputStages
from promptuary.evaluation.scorers.transforms.transform import Transform, TransformContext, TransformFailed, build_transform
from promptuary.models.model_spec import LABEL_BEGINS
from promptuary.prompt.content import Template
from promptuary.prompt.errors import Invalid

CACHED_TRANSFORMS = 256


@dataclass(frozen=True)
class Answer:
    """What a model or application answered, as transforms read it.

    Attributes:
        value: the output as JSON.
        source: the model's name, or the application's.
        template: of the prompt; empty where there is none.
        metadata: what the model or application stated beside it.
    """

    value: Any
    source: str
    template: Template = ""
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class RunTransforms:
    """The transforms of a suite, and those of its cases, which are built once each.

    Attributes:
        suite: for cases that have none of their own.
        sources: by the name of the model or application; a model with a label may be named as results name it.
        of_case: builds a case's transform from its JSON.
    """

    suite: Transform | None = None
    sources: Mapping[str, Transform] = field(default_factory=dict)
    of_case: Callable[[str], Transform] | None = None

    @classmethod
    def build(cls, suite: JsonValue, sources: Mapping[str, JsonValue], dependencies: ScorerDependencies) -> "RunTransforms":
        """Build the transforms of a suite.

        Raises:
            Invalid: for code that is not allowed here; a case's is that case's error.
        """
        built = {name: build_transform(value, dependencies) for name, value in sources.items()}

        @lru_cache(maxsize=CACHED_TRANSFORMS)
        def of_case(text: str) -> Transform:
            try:
                transform = build_transform(json.loads(text), dependencies)
            except Invalid as error:
                raise TransformFailed(f"the case's transform {error}") from None
            assert transform is not None
            return transform

        known = {name: transform for name, transform in built.items() if transform is not None}
        return cls(build_transform(suite, dependencies), known, of_case)

    async def apply(self, case: Case, answer: Answer) -> OutputStages | None:
        """Return the output after the transforms; None where it is a text that no transform changes.

        Raises:
            TransformFailed: where a transform fails, so that the case has no verdict.
        """
        of_source, of_case = self._of_source(answer.source), self._of_case(case)
        if of_source is None and of_case is None and isinstance(answer.value, str):
            return None
        template = _template_text(answer.template)
        prompt = {"raw": template, "label": template}
        value = answer.value
        if of_source is not None:
            value = await of_source.apply(value, TransformContext(case.vars, prompt))
        final = value
        if of_case is not None:
            final = await of_case.apply(value, TransformContext(case.vars, prompt, answer.metadata))
        return OutputStages(value, final, final)

    def _of_source(self, source: str) -> Transform | None:
        """Return the transform of a source as results name it; that of a model's name is for all models of the name."""
        name, _, _ = source.partition(LABEL_BEGINS)
        return self.sources.get(source) or self.sources.get(name)

    def _of_case(self, case: Case) -> Transform | None:
        if case.transform is None or self.of_case is None:
            return self.suite
        return self.of_case(json.dumps(case.transform, sort_keys=True))


def _template_text(template: Template) -> str:
    """Return a template as one text; a chat as JSON."""
    if isinstance(template, str):
        return template
    messages = [message.model_dump(mode="json", exclude_none=True) for message in template]
    return json.dumps(messages, ensure_ascii=False)
