"""The rendering of a prompt with the passages of its context binding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.context.retrieval import PassageQuery, PassageRetrieval
from promptuary.core.settings import Settings
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt, RenderedPrompt


@dataclass(frozen=True)
class ContextRenderer:
    """A synchronous renderer, safe to use from several threads; no transaction is open while it embeds."""

    retrieval: PassageRetrieval
    settings: Settings

    def render(
        self, project: int, prepared: PreparedPrompt, values: Mapping[str, Any], query: str | None = None
    ) -> RenderedPrompt:
        """Retrieve the passages of the context binding, and render.

        Args:
            project: the project of the bound collection.
            prepared: the parsed version.
            values: the variables.
            query: replaces the binding's own query.

        Raises:
            InvalidVariables: for values that do not fit.
            NotFound: when the project does not have the bound collection.
            Unavailable: when the embedder or Chroma does not work.
        """
        binding = prepared.content.context
        passages: Sequence[Passage] = ()
        if binding is not None:
            text = query if query is not None else prepared.query_text(values)
            passages = self.retrieval.query(project, binding.collection, PassageQuery(text, binding.k, binding.min_score))
        limit, attachment_limit = self.settings.output_limit, self.settings.attachment_limit
        return prepared.render(values, passages, limit=limit, attachment_limit=attachment_limit)
