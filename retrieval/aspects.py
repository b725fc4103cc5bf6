"""What a question asks about its topic, and what a passage tells about it: symptoms, treatment, inheritance, ...

A dense retriever finds the topic and is often content with any of its passages. Two linear classifiers over the encoder's own
vectors, one for questions and one for passages, say how likely each aspect is; a passage that tells what is asked for moves
up. That costs a millisecond or two, and no passage is embedded again.

Passages without a header are not judged: the topic in front of a text moves its vector. A classifier of their own was tried: by
the 4,000 passages drawn, the strength of the fit and the weight, consumer questions' nDCG@10 (.969 without) moved by -.008 to
+.004.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medqa.errors import MedqaError
from medqa.files import sha256_file
from medqa.manifest import read_manifest
from medqa.paths import locate

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

KIND = "aspects"
MAKE = "medqa finetune aspects --config configs/aspects-medquad.yaml"
WEIGHTS = "aspects.safetensors"
SHIPPED = "models/aspects-medquad"
AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Aspects:
    """The classifiers. Vectors are unit vectors of the one encoder that they were fitted on."""

    labels: tuple[str, ...]
    """Names of the aspects, in the order of the rows below."""
    questions: "np.ndarray"
    """(aspects, dim + 1) float32: coefficients of a question's vector, the intercept last."""
    passages: "np.ndarray"
    """(aspects, dim + 1) float32: those of the vector of a passage under a header."""
    weight: float = 0.0
    """Share of ``agreement`` in the final score that suits it, 0 to 1."""
    topic_weight: float = 0.0
    """Share of the best score of a passage's topic; together at most 1."""

    def of_questions(self, vectors: "np.ndarray") -> "np.ndarray":
        """(n, aspects) float64: how likely each is what a question asks for; rows sum to 1."""
        return _softmax(_linear(self.questions, vectors))

    def of_passages(self, vectors: "np.ndarray") -> "np.ndarray":
        """(n, aspects) float64: how likely each is what a passage under a header tells; rows sum to 1."""
        return _softmax(_linear(self.passages, vectors))

    def agreement(self, question: "np.ndarray", passages: "np.ndarray", headed: "np.ndarray") -> "np.ndarray":
        """(n,) in [0, 1]: the probability that each passage tells what is asked for, the two drawn independently.

        A passage without a header has the mean of the others, which moves it neither up nor down; where all are without, 0.

        Args:
            question: (dim,), one question's vector.
            passages: (n, dim).
            headed: (n,) bool: whether a header was embedded in front of each passage.
        """
        import numpy as np

        found = np.zeros(len(passages))
        if headed.any():
            found[headed] = self.of_passages(passages[headed]) @ self.of_questions(question[None, :])[0]
            found[~headed] = found[headed].mean()
        return found


def load_aspects(name: str | None, encoder: str) -> Aspects | None:
    """The aspects in the folder ``name``; those that are shipped for ``auto``, if ``encoder`` is theirs; else None.

    Args:
        name: as ``retrieval.aspects``.
        encoder: ``retrieval.adapters.encoder_hash`` of the encoder whose vectors they shall judge.

    Raises:
        MedqaError: none in the folder, or those of another encoder.
    """
    if name is None:
        return None
    folder = aspects_folder(name)
    if name == AUTO and not folder.is_dir():
        return None
    manifest = read_manifest(folder, KIND, MAKE)
    if missing := {"labels", "weight", "topic_weight"} - manifest.keys():
        raise MedqaError(
            f"wanted aspects in {folder}, found a manifest without {', '.join(sorted(missing))}; run: {MAKE}"
        )
    if manifest["inputs"].get("encoder") != encoder:
        if name == AUTO:
            return None
        raise MedqaError(
            f"wanted aspects of the encoder that is searched with, found another encoder's in {folder}; "
            f"set retrieval.aspects=null, or fit them with: {MAKE}"
        )
    return read_aspects(folder, tuple(manifest["labels"]), float(manifest["weight"]), float(manifest["topic_weight"]))


def aspects_hash(name: str) -> str:
    """SHA-256 of the classifiers in the folder ``name``."""
    return sha256_file(aspects_folder(name) / WEIGHTS)


def aspects_folder(name: str) -> "Path":
    """Where the aspects called ``name`` lie; ``auto`` are the shipped ones."""
    return locate(SHIPPED if name == AUTO else name)


def read_aspects(folder: "Path", labels: tuple[str, ...], weight: float, topic_weight: float) -> Aspects:
    """What ``write_aspects`` left in ``folder``.

    Raises:
        MedqaError: a damaged file, or one that does not belong to ``labels``.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(folder / WEIGHTS)
        found = Aspects(labels, tensors["questions"], tensors["passages"], weight, topic_weight)
    except (OSError, SafetensorError, KeyError) as error:
        raise MedqaError(f"wanted {WEIGHTS} in {folder}, found none that loads ({error}); run: {MAKE}") from error
    shapes = {found.questions.shape, found.passages.shape}
    if shapes != {(len(labels), found.questions.shape[-1])}:
        raise MedqaError(
            f"wanted {len(labels)} aspects in {folder / WEIGHTS}, found arrays of {sorted(shapes)}; run: {MAKE}"
        )
    return found


def write_aspects(folder: "Path", aspects: Aspects) -> None:
    """The coefficients as one safetensors file in ``folder``; labels and weights belong into the manifest."""
    from safetensors.numpy import save_file

    save_file({"questions": aspects.questions, "passages": aspects.passages}, folder / WEIGHTS)


def _linear(coefficients: "np.ndarray", vectors: "np.ndarray") -> "np.ndarray":
    import numpy as np

    # Not a matrix product: BLAS would start threads that wait for torch's, which have just embedded the question and have not
    # gone to sleep; on two cores 100 ms instead of 2.
    found: np.ndarray = np.einsum("nd,kd->nk", vectors.astype(np.float64), coefficients[:, :-1])
    return found + coefficients[:, -1]


def _softmax(logits: "np.ndarray") -> "np.ndarray":
    import numpy as np

    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares
