"""Passages -> vectors on one device, or shared out over several with one process each."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

POOL_FROM = 10_000
"""Fewer texts are embedded on one device: starting the processes (importing torch in each) takes some ten seconds."""


_CPU_TOKENS = 2048
"""Tokens in a batch on a CPU: what the layers hand on then stays in its cache (8,192 were a fifth slower)."""
_CHUNK = 1024
"""Texts handed over at once, of about the same length."""


def encode_share(model: Any, texts: Sequence[str], prompt: str, batch_size: int, progress: bool) -> "np.ndarray":
    """(n, dim) float32, L2-normalised, on the device where ``model`` (a SentenceTransformer) is.

    Batches hold texts of like length in tokens. By characters, as sentence-transformers sorts, a sixth of what is computed for
    MedQuAD would be padding.
    """
    import numpy as np
    from tqdm import tqdm

    lengths = np.array(
        [len(ids) for ids in model.tokenizer(list(texts), truncation=True)["input_ids"]] if texts else []
    )
    order = np.argsort(-lengths, kind="stable")  # the longest first: what does not fit fails at once
    vectors = np.empty((len(texts), int(model.get_embedding_dimension())), dtype=np.float32)
    with (
        fastest(str(model.device)),
        tqdm(total=len(texts), desc="embed", unit="text", disable=None if progress else True, leave=False) as bar,
    ):
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            fits = batch_size if model.device.type != "cpu" else min(batch_size, _CPU_TOKENS // int(lengths[rows[0]]))
            found = model.encode_document(
                [texts[row] for row in rows], prompt=prompt, batch_size=max(1, fits), convert_to_tensor=True,
                show_progress_bar=False,
            )  # fmt: skip
            vectors[rows] = unit(found, len(rows), vectors.shape[1])
            bar.update(len(rows))
    return vectors


def encode_on(
    devices: Sequence[str], model: Any, texts: Sequence[str], prompt: str, batch_size: int, progress: bool
) -> "np.ndarray":
    """As ``encode_share``, with one process per device. Text ``i`` goes to device ``i`` modulo their number, so that each has
    its part of the long ones; the first one's progress stands for all."""
    import numpy as np

    n = len(devices)
    with ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("spawn")) as pool:
        shares = [
            pool.submit(_in_process, model, device, n, list(texts[i::n]), prompt, batch_size, progress and i == 0)
            for i, device in enumerate(devices)
        ]
        vectors = np.empty((len(texts), int(model.get_embedding_dimension())), dtype=np.float32)
        for i, share in enumerate(shares):
            vectors[i::n] = share.result()
    return vectors


def unit(vectors: Any, n: int, dim: int) -> "np.ndarray":
    """``n`` rows of a tensor of any float type as float32 of length 1; (0, dim) where there are none."""
    import torch

    if n == 0:
        return torch.zeros((0, dim)).numpy()
    return torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()


def _in_process(
    model: Any, device: str, processes: int, texts: list[str], prompt: str, batch_size: int, progress: bool
) -> "np.ndarray":
    import torch

    if device == "cpu":  # else every process would take all cores
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    return encode_share(model.to(device), texts, prompt, batch_size, progress)


def fastest(device: str) -> AbstractContextManager[Any]:
    """bf16 autocast where ``device`` computes in it natively; Ampere (8.0) is the first GPU generation that does."""
    import torch

    if device.startswith("cuda"):
        capable = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        capable = device == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16) if capable else nullcontext()
