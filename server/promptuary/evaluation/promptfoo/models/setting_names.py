"""The settings of a provider's config by the names that OpenAI has for them, which the settings here have, too."""

from collections.abc import Mapping
from typing import Any

from promptuary.evaluation.promptfoo.raw import RawObject

_GOOGLE = {"maxOutputTokens": "max_tokens", "topP": "top_p", "topK": "top_k", "stopSequences": "stop"}
_BEDROCK = {
    **dict.fromkeys(("max_new_tokens", "max_gen_len", "maxTokens", "maxTokenCount"), "max_tokens"),
    **{"topP": "top_p", "topK": "top_k", "stopSequences": "stop"},
}
_NAMES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("google", "vertex", "palm"), _GOOGLE),
    "bedrock": _BEDROCK,
    "ollama": {"num_predict": "max_tokens"},
    "mistral": {"random_seed": "seed"},
}
_GROUPS = {
    **dict.fromkeys(("google", "vertex", "palm"), ("generationConfig",)),
    "bedrock": ("inferenceConfig", "textGenerationConfig"),
}
"""Objects of a config whose members are settings; they take precedence over those beside them."""


def with_our_names(provider: str, config: RawObject) -> RawObject:
    """Return a config whose settings have the names that are used here; the others stay as they are.

    Args:
        provider: the id, as `google:gemini-2.5-pro`.
        config: of the provider.
    """
    head = provider.partition(":")[0]
    names, flat = _NAMES.get(head, {}), dict(config)
    for group in _GROUPS.get(head, ()):
        members: Any = flat.get(group)
        if isinstance(members, dict):
            del flat[group]
            flat |= members
    return {names.get(key, key): value for key, value in flat.items()}
