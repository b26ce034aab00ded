"""An embedder that needs no model."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from promptuary.context.vector_source import build_embedding_backend, build_exact_index
from promptuary.embedding.backend import EmbeddingBackend


class WordEmbedder:
    """Counts words into 64 buckets: texts that share words are similar. It passes the tests of the real model."""

    model = "all-MiniLM-L6-v2"
    dimensions = 64

    def embed(self, texts: Sequence[str]) -> Any:
        """Return one row per text, each of length 1."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[int(hashlib.sha256(word.strip(".,?!").encode()).hexdigest(), 16) % self.dimensions] += 1.0
            row += 1e-3
            row /= np.linalg.norm(row)
        return rows


def word_embedding_backend(database: Any, settings: Any, embedder: Any = None) -> EmbeddingBackend:
    """Build a backend that needs neither a model nor Chroma."""
    return build_embedding_backend(database, settings, embedder=embedder or WordEmbedder(), index=build_exact_index(database))
