"""An encoder that trains: sentence-transformers' modules with LoRA (or all weights) trainable, its change scaled at will."""

import contextlib
import copy
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

TARGETS = ("query", "key", "value", "dense")
"""Linear modules of BERT's layers that get an adapter."""
BASE_NAME = "sentence-transformers/all-MiniLM-L6-v2"
"""What the embedded encoder is called on the hub: the base that an adapter's configuration names."""


class TrainableEncoder:
    """Texts -> unit vectors, with gradients. Dropout stays off: the two passes of a cached gradient must agree."""

    def __init__(
        self, folder: Path, method: Literal["lora", "full"], r: int, device: str, max_length: int, seed: int
    ) -> None:
        import torch
        from peft import LoraConfig, get_peft_model
        from sentence_transformers import SentenceTransformer

        torch.manual_seed(seed)  # LoRA's A matrices start at random
        self.device = device
        self.dtype = matmul_dtype(device)
        self.max_length = max_length
        self.method = method
        self._sentence = SentenceTransformer(str(folder), device=device, local_files_only=True)
        self.tokenizer: Any = self._sentence.tokenizer
        bert: Any = self._sentence[0].auto_model
        if method == "lora":
            # alpha = 2 r: the customary scale; the pooler has no part in a sentence's vector.
            config = LoraConfig(r=r, lora_alpha=2 * r, target_modules=list(TARGETS), exclude_modules=r".*pooler.*")
            self.model: Any = get_peft_model(bert, config)
            self.model.peft_config["default"].base_model_name_or_path = BASE_NAME
        else:
            self.model = bert.requires_grad_(True)
        self._stock = None if method == "lora" else copy.deepcopy(bert.state_dict())
        self._sentence.eval()

    def parameters(self) -> list[Any]:
        """Those that train."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with specials, cut to the longest input."""
        with parallel_tokenising():
            ids: list[list[int]] = self.tokenizer(
                list(texts), truncation=True, max_length=self.max_length, return_attention_mask=False, padding=False,
                return_token_type_ids=False,
            )["input_ids"]  # fmt: skip
        return ids

    def batch(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Token rows as ``forward`` takes them, on the device."""
        return pad(rows, self.tokenizer.pad_token_id, self.device)

    def forward(self, batch: Mapping[str, Any]) -> Any:
        """(n, dim) float32 unit vectors of a ``batch``, differentiable."""
        import torch

        with torch.autocast(self.device.partition(":")[0], dtype=self.dtype, enabled=self.dtype != torch.float32):
            vectors = self._sentence(dict(batch))["sentence_embedding"]
        return torch.nn.functional.normalize(vectors.float(), dim=1)

    def embed(self, texts: Sequence[str], batch: int = 512, label: str | None = None) -> Any:
        """(n, dim) float32 unit vectors on the device, without gradients; a bar with ``label`` if given."""
        import torch
        from tqdm import tqdm

        rows = self.tokenise(texts)
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))  # neighbours of one length: little padding
        vectors = torch.zeros((len(rows), int(self._sentence.get_embedding_dimension() or 0)), device=self.device)
        starts = tqdm(
            range(0, len(order), batch), desc=label, unit="batch", disable=None if label else True, leave=False
        )
        with torch.no_grad():
            for start in starts:
                chunk = order[start : start + batch]
                vectors[chunk] = self.forward(self.batch([rows[i] for i in chunk]))
        return vectors

    @contextlib.contextmanager
    def at_scale(self, scale: float) -> Iterator[None]:
        """Within the block the trained change counts ``scale`` times: 0 is the stock encoder, 1 the trained one.

        Weight interpolation (Wortsman et al. 2022, arXiv:2109.01903); for LoRA the same product, scaled.
        """
        undo = self._rescale(scale)
        try:
            yield
        finally:
            undo()

    def _rescale(self, scale: float) -> Any:
        if self.method == "lora":
            layers = [m for m in self.model.modules() if hasattr(m, "lora_A")]
            before = layers[0].scaling["default"]
            for layer in layers:
                layer.scaling["default"] = before * scale
            return lambda: [layer.scaling.__setitem__("default", before) for layer in layers]
        trained = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(interpolate(self._stock, trained, scale))
        return lambda: self.model.load_state_dict(trained)

    def save(self, folder: Path, scale: float) -> None:
        """The change times ``scale``: a PEFT adapter in float16, or for full fine-tuning a sentence-transformers folder."""
        if self.method == "full":
            with self.at_scale(scale):
                self._sentence.save(str(folder), create_model_card=False)
            return
        save_adapter(self.model, folder, scale)


def interpolate(stock: Any, trained: Any, scale: float) -> dict[str, Any]:
    """``stock + scale * (trained - stock)``, tensor by tensor; what is no float is taken from ``trained``."""
    return {
        name: stock[name] + scale * (value - stock[name]) if value.is_floating_point() else value
        for name, value in trained.items()
    }


def save_adapter(model: Any, folder: Path, scale: float = 1.0) -> None:
    """A PEFT folder with float16 weights (peft loads them into float32), LoRA's B matrices times ``scale``."""
    import torch
    from safetensors.torch import load_file, save_file

    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty card
    file = folder / "adapter_model.safetensors"
    tensors = {n: (t * scale if "lora_B" in n else t).to(torch.float16) for n, t in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    for key in ("target_modules", "modules_to_save"):  # peft writes sets: their order changes from run to run
        if isinstance(config.get(key), list):
            config[key].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def pad(rows: Sequence[Sequence[int]], pad_id: int, device: str) -> dict[str, Any]:
    """``input_ids`` and ``attention_mask``, (n, longest)."""
    import numpy as np
    import torch

    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    return {
        "input_ids": torch.from_numpy(ids).to(device),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(device),
    }


@contextlib.contextmanager
def parallel_tokenising() -> Iterator[None]:
    """Within the block the tokenizer uses all cores: on one it takes longer than the GPU. Safe, because nothing forks here."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def matmul_dtype(device: str) -> Any:
    """What ``device`` multiplies natively and fast."""
    import torch

    from medqa.hardware import pick_dtype

    return getattr(torch, pick_dtype(device.partition(":")[0]))
