"""The target of a run on calls of production: candidates are called, and what production answered is there already."""

from dataclasses import dataclass

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.conversation import TurnContext
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.targets.application_target import ApplicationTarget
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.evaluation.targets.target import TargetReply, TargetTrace


@dataclass(frozen=True)
class ReplayTarget:
    """Prompts beside recorded outputs; implements `Target`.

    Attributes:
        prompts: of the variants that are called.
        recorded: outputs of production, by the variant's name.
    """

    prompts: PromptTarget
    recorded: ApplicationTarget

    async def answer(
        self, case: Case, variant: Variant, repeat: int, trace: TargetTrace, turn: TurnContext | None = None
    ) -> TargetReply:
        """Answer a case, or return what production answered."""
        target = self.recorded if variant.is_recorded else self.prompts
        return await target.answer(case, variant, repeat, trace, turn)

    async def close(self) -> None:
        """Release what both targets use."""
        await self.prompts.close()
        await self.recorded.close()

    def is_sensitive(self, case: Case, variant: str) -> bool:
        """Return whether a sensitive value of the case reaches the variant, or any variant where production answered."""
        names = [variant] if variant in self.prompts.prepared else list(self.prompts.prepared)
        return any(self.prompts.is_sensitive(case, name) for name in names)
