"""Question and passage read together by a cross-encoder (Nogueira & Cho 2019, arXiv:1901.04085): slower, and more exact."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from medqa.errors import MedqaError
from medqa.files import read_json
from medqa.manifest import MANIFEST
from medqa.paths import locate
from retrieval.adapters import adapted_layers, is_adapter, merge_adapter
from retrieval.devices import fastest
from retrieval.encoder import embedded_folder

if TYPE_CHECKING:
    import numpy as np

_BATCH = 16
"""Passages scored at once: on two cores, 30 sorted by length in batches of 16 were as fast as in one, with less padding."""


class Reranker(Protocol):
    """What a search needs of a reranker."""

    @property
    def weight(self) -> float:
        """Share of its score in the final one, 0 to 1, that suits it; the rest is the fused score's."""

    @property
    def headed_only(self) -> bool:
        """Whether it was made for passages under a header and shall leave others in their place."""

    def scores(self, question: str, passages: Sequence[str]) -> "np.ndarray":
        """(n,) float32: how well each passage answers ``question``; higher is better, comparable within one question."""


def load_reranker(name: str) -> "CrossEncoder":
    """The reranker called ``name``: a folder with a PEFT adapter and head for the embedded encoder, or a folder or hub id of a
    cross-encoder (sentence-transformers' or any sequence classifier with one output).

    Raises:
        MedqaError: nothing there that loads, or a classifier with several outputs.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    folder = locate(name)
    adapter = is_adapter(folder)
    source = str(embedded_folder() if adapter else folder if folder.is_dir() else name)
    # The embedded encoder has no head: it comes with the adapter, which may be for its lower layers only.
    options: dict[str, Any] = {"num_labels": 1, "num_hidden_layers": adapted_layers(folder)} if adapter else {}
    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # else it reports the head that the adapter is about to fill in as missing
    try:
        model = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=folder.is_dir(), **options)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=folder.is_dir())
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted a cross-encoder called {name}, found none that loads ({reason}); set retrieval.reranker=null or a folder"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    if adapter:
        model = merge_adapter(model, folder)
    if model.config.num_labels != 1:
        raise MedqaError(
            f"wanted a cross-encoder with one score in {name}, found {model.config.num_labels} outputs; give another one"
        )
    # ``medqa finetune reranker`` writes the weight that was best on validation questions.
    facts = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    return CrossEncoder(model, tokenizer, float(facts.get("weight", 1.0)), bool(facts.get("headed_only", False)))


class CrossEncoder:
    """A sequence classifier with one output. bf16 where the device has it: only the order of the scores counts."""

    def __init__(self, model: Any, tokenizer: Any, weight: float = 1.0, headed_only: bool = False) -> None:
        import torch

        self.weight = weight
        self.headed_only = headed_only
        self._model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer = tokenizer
        self._limit = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings))

    def scores(self, question: str, passages: Sequence[str]) -> "np.ndarray":
        """(n,) float32 logits. What is beyond the model's limit is cut from the longer of question and passage."""
        import numpy as np
        import torch

        if not passages:
            return np.zeros(0, dtype=np.float32)
        tokens = self._tokenizer(
            [question] * len(passages),
            list(passages),
            truncation="longest_first",
            max_length=self._limit,
            verbose=False,
        )
        order = sorted(range(len(passages)), key=lambda i: len(tokens["input_ids"][i]))  # like lengths: little padding
        device = str(self._model.device)
        scores = np.empty(len(passages), dtype=np.float32)
        with torch.inference_mode(), fastest(device):
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                batch = self._tokenizer.pad({k: [v[i] for i in rows] for k, v in tokens.items()}, return_tensors="pt")
                scores[rows] = self._model(**batch.to(device)).logits[:, 0].float().cpu().numpy()
        return scores
