"""The prompts of a foreign file, checked, with every version."""

from collections.abc import Sequence

from promptuary.prompt.files.yaml_document import YamlDocument
from promptuary.prompt.foreign.drafts import ImportDraft, ImportedPrompt, finish_drafts
from promptuary.prompt.foreign.source_names import SourceNames


def finished_prompts(
    drafts: Sequence[ImportDraft], document: YamlDocument, source: str, names: SourceNames
) -> list[ImportedPrompt]:
    """Return the checked prompts of a file's drafts, or raise their errors."""
    return [version.prompt for version in finish_drafts(drafts, document, source, names) if version.prompt is not None]
