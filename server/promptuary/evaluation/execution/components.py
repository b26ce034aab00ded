"""What the items of a run need: the target, the scorers and the runner, built for one execution."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import NotFound
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.items.pages import CacheLookUp, look_up_nothing
from promptuary.evaluation.execution.replay_target import ReplayTarget
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.targets.builder import TargetBuilder
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.prompt_target import PromptRenderer, PromptTarget
from promptuary.evaluation.targets.target import Target
from promptuary.models.calls import ModelCaller, ModelClient, ModelReply, ModelRequest
from promptuary.models.model_spec import ModelSpec, model_spec
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.registry import store as registry_store
from promptuary.registry import version_store


@dataclass(frozen=True)
class RunComponents:
    """Builds the components of runs.

    Attributes:
        database: contains the prompts.
        clock: returns the current time.
        settings: timeouts, and what scorers are allowed to do.
        renderer: renders prompts with their context.
        embed: converts n texts to an n×d array with rows of unit length, for scorers.
    """

    database: Database
    clock: Clock
    settings: Settings
    renderer: PromptRenderer
    embed: Callable[[Sequence[str]], Any]

    def scorer_dependencies(self, client: ModelCaller, closing: ExitStack) -> ScorerDependencies:
        """Build what scorers need.

        Args:
            client: calls the judges.
            closing: closes what scorers open.
        """

        async def ask(
            model: str | ModelSpec,
            messages: Sequence[Mapping[str, str]],
            *,
            schema: JsonObject | None = None,
            repeat: int = 0,
        ) -> ModelReply:
            spec = model_spec(model)
            # Hosted models may refuse a temperature.
            config = ({"temperature": 0.0} if spec.name.startswith("local:") else {}) | spec.config
            return await client.ask(ModelRequest(spec.name, messages, config, schema=schema, repeat=repeat))

        settings = self.settings
        engine = JavaScriptEngine() if settings.javascript else None
        if engine is not None:
            closing.callback(engine.close)
        return ScorerDependencies(
            self.embed, ask, settings.code_scorers, settings.allowed_webhook_hosts, closing.callback, engine
        )

    def runner(self, run: Run, suite: Suite, client: ModelClient, dependencies: ScorerDependencies, share: int = 1) -> Runner:
        """Build the runner of a run's items.

        Args:
            run: whose items.
            suite: of the run.
            client: calls the models.
            dependencies: of the scorers.
            share: into how many equal parts the concurrency of the run is divided; the runner gets one.

        Raises:
            NotFound: if the registry no longer has a version of the run.
            Invalid: if an application of the run may not be asked here, or a variable that it needs is not set.
        """
        target = self._target(run, suite, client, dependencies, share)
        return Runner(
            target=target,
            scorers=CaseScorers.build(suite.scorers, dependencies, suite.threshold),
            concurrency=max(1, -(-run.plan.concurrency // share)),
            timeout=self.settings.case_timeout,
            clock=self.clock,
            transforms=RunTransforms.build(suite.transform, suite.model_transforms, dependencies),
            look_up=CacheLookUp(target, client) if isinstance(target, PromptTarget) and run.plan.cache else look_up_nothing,
        )

    def _target(self, run: Run, suite: Suite, client: ModelCaller, dependencies: ScorerDependencies, share: int) -> Target:
        permissions, engine = TargetPermissions.of(self.settings), dependencies.javascript
        builder = TargetBuilder(self.database, permissions, self.settings, engine, ends_run=share == 1)
        if suite.targets:
            return builder.build(run.plan, suite)
        prompts = PromptTarget(run.project, self.renderer, client, self._prepared_prompts(run))
        return ReplayTarget(prompts, builder.build_recorded(run.plan)) if run.plan.outputs else prompts

    def _prepared_prompts(self, run: Run) -> dict[str, PreparedPrompt]:
        with self.database.read() as session:
            contents = {
                variant.name: _content(session, run, variant) for variant in run.plan.variants if not variant.is_recorded
            }
        return {name: prepare(content, jinja2=self.settings.jinja2) for name, content in contents.items()}


def _content(session: Session, run: Run, variant: Variant) -> Content:
    """Return the content of a variant.

    Raises:
        NotFound: if the registry no longer has it.
        Erased: if its content was erased.
    """
    prompt = registry_store.find_prompt(session, run.project, variant.prompt or "")
    version = version_store.find_version(session, prompt, variant.version or 0) if prompt else None
    if version is None or version.digest != variant.digest:
        raise NotFound(f"the version {variant.version} of '{variant.prompt}', which the run evaluates, is not in the registry")
    version_store.refuse_erased(version)
    return content_from_json(version.content)
