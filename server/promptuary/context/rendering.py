"""A prompt rendered with the passages that its context asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.settings import Settings
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt


@dataclass(frozen=True)
class ContextRenderer:
    """Renders; synchronous, safe to use from several threads, with no transaction held while it embeds."""

    retrieval: PassageRetrieval
    settings: Settings

    def render(
        self, project: int, prepared: PreparedPrompt, values: Mapping[str, Any], query: str | None = None
    ) -> RenderedPrompt:
        """Retrieve what the context binding asks for, and render.

        Args:
            project: whose collection it is.
            prepared: the version, parsed.
            values: the variables.
            query: looks for this text instead of the binding's own query.

        Raises:
            InvalidVariables: for values that do not fit.
            NotFound: when the bound collection is gone.
            Unavailable: when the embedder or Chroma cannot answer.
        """
        binding = prepared.content.context
        if binding is None:
            return prepared.render(values, limit=self.settings.output_limit)
        text = query if query is not None else prepared.query_text(values)
        passages = self.retrieval.query(project, binding.collection, text, binding.k, binding.min_score)
        return prepared.render(values, passages, limit=self.settings.output_limit)
