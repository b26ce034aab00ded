"""The contract of every embedder, tested on the real model and on the word embedder."""

from typing import Any

import numpy as np
import pytest

from factories.word_embedder import WordEmbedder
from promptuary.core.errors import Unavailable
from promptuary.embedding.model import MiniLM, build_embedder


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.model), "stand-in"], scope="module")
def any_embedder(request: pytest.FixtureRequest) -> Any:
    return MiniLM(threads=1) if request.param == "real" else WordEmbedder()


def test_each_text_has_one_vector_of_unit_length_always_the_same(any_embedder: Any) -> None:
    texts = ["My card has not come.", "What does a transfer cost?", ""]
    vectors = any_embedder.embed(texts)
    assert vectors.shape == (3, any_embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert any_embedder.embed(texts[:1])[0] == pytest.approx(vectors[0], abs=1e-5)


def test_no_texts_have_no_vectors(any_embedder: Any) -> None:
    assert any_embedder.embed([]).shape == (0, any_embedder.dimensions)


def test_texts_of_the_same_meaning_are_nearer_than_others(any_embedder: Any) -> None:
    card, also_card, fee = any_embedder.embed(["my new card has not come", "my card has not come yet", "transfer fee abroad"])
    assert card @ also_card > card @ fee


def test_an_unknown_model_is_refused(settings: Any) -> None:
    assert isinstance(build_embedder(settings), MiniLM)
    with pytest.raises(Unavailable, match="PROMPTUARY_EMBEDDING_MODEL"):
        build_embedder(settings.model_copy(update={"embedding_model": "someone/else"}))
