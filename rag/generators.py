"""Drafts of answers: from a local language model, or quoted from the passages themselves.

A draft is raw text; nobody sees it before :mod:`rag.citations` has checked it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from medqa.adapter import check_adapter
from medqa.base_model import load_tokenizer, nf4_config, resolve_model, short_reason
from medqa.errors import MedqaError
from medqa.hardware import pick_device, pick_dtype
from medqa.paths import locate
from medqa.records import Hit
from rag.prompt import REFUSAL, Source, end_token_id, fit_sources, plain_messages, render

QUOTED_SENTENCES = 8
"""Longest extractive answer: about the median answer of MedQuAD (138 words)."""
QUOTE_MARGIN = 0.9
"""A further passage is quoted if its similarity is at least this share of the best one's; chosen by eye, not fitted."""
LOOKUP_NGRAM = 3
"""Longest run of written tokens that is looked up in the prompt; two to four made no difference on quoted answers."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Raw text with markers, and what it took."""

    text: str
    prompt_tokens: int = 0
    new_tokens: int = 0
    dropped_sources: int = 0
    """Sources left out because the prompt would have been too long; markers count those that stayed."""
    truncated: bool = False
    """The token limit was reached before the model ended its turn."""


class Generator(Protocol):
    """Anything that turns a question and hits (None: closed book) into a draft."""

    def draft(self, questions: Sequence[str], hits: Sequence[Sequence[Hit] | None]) -> list[Draft]:
        """One draft per question, in order."""
        ...


class Extractive:
    """No language model: the sentences of the best passages, quoted in order, each with its marker.

    The baseline every model has to beat, and the answer where no model is present.
    """

    def draft(self, questions: Sequence[str], hits: Sequence[Sequence[Hit] | None]) -> list[Draft]:
        """Quotes of each question's hits; the refusal where there are none."""
        return [self._quote(h or ()) for h in hits]

    def _quote(self, hits: Sequence[Hit]) -> Draft:
        best = max((h.dense or 0.0 for h in hits), default=0.0)
        sentences: list[str] = []
        for marker, hit in enumerate(hits, start=1):
            if hit is not hits[0] and (hit.dense or 0.0) < QUOTE_MARGIN * best:
                continue
            text = hit.passage.text
            sentences += [f"{text[s:e].strip()} [{marker}]" for s, e in hit.passage.sentences]
        return Draft(" ".join(sentences[:QUOTED_SENTENCES]) or REFUSAL)


class LocalModel:
    """A transformers causal language model, with or without a LoRA adapter that can be switched off.

    Greedy decoding: the same prompt gives the same answer. A single question with sources is written faster by prompt lookup
    (Saxena 2023): what followed the last words where they stand in the prompt is taken as a guess, and one forward pass checks
    the whole of it. An answer that quotes is mostly such guesses; a wrong one costs nothing but the guess. The tokens are those
    of plain greedy decoding, up to near-ties in rounding.

    Not safe for concurrent calls: guard it with a lock.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_new_tokens: int,
        prompt_tokens: int,
        batch_size: int,
        tuned: bool,
        lookup_tokens: int = 0,
    ) -> None:
        context = int(getattr(model.config, "max_position_embeddings", 4096))
        if prompt_tokens + max_new_tokens > context:
            raise MedqaError(
                f"wanted rag.prompt_tokens + generator.max_new_tokens within the model's context of {context}, "
                f"found {prompt_tokens} + {max_new_tokens}; lower one of them"
            )
        self._model, self._tokenizer = model, tokenizer
        self._max_new_tokens, self._prompt_tokens, self._batch_size = max_new_tokens, prompt_tokens, batch_size
        self._tuned, self._lookup_tokens = tuned, lookup_tokens
        self._ends = _end_ids(model, tokenizer)

    def draft(
        self,
        questions: Sequence[str],
        hits: Sequence[Sequence[Hit] | None],
        on_text: Callable[[str], None] | None = None,
    ) -> list[Draft]:
        """One draft per question. ``on_text`` receives the text of a single question piece by piece while it is written."""
        prompts = [self.prompt(q, h) for q, h in zip(questions, hits, strict=True)]
        drafts: list[Draft | None] = [None] * len(prompts)
        for batch in _batches([len(ids) for ids, _ in prompts], self._batch_size):
            quotes = len(batch) == 1 and hits[batch[0]] is not None
            texts = self._generate([prompts[i][0] for i in batch], on_text, self._lookup_tokens if quotes else 0)
            for i, (text, new_tokens, truncated) in zip(batch, texts, strict=True):
                drafts[i] = Draft(text, len(prompts[i][0]), new_tokens, prompts[i][1], truncated)
        return [d for d in drafts if d is not None]

    def prompt(self, question: str, hits: Sequence[Hit] | None) -> tuple[list[int], int]:
        """Token ids of the prompt that ``draft`` uses, and the number of sources dropped to fit; ``hits`` None: closed-book."""
        if hits is None:
            ids = render(self._tokenizer, plain_messages(question))
            if len(ids) > self._prompt_tokens:
                raise MedqaError(
                    f"wanted a question of at most {self._prompt_tokens} tokens, found {len(ids)}; shorten it"
                )
            return ids, 0
        sources = [Source(h.passage.text, h.passage.title) for h in hits]
        ids, _, dropped = fit_sources(self._tokenizer, question, sources, self._prompt_tokens)
        return ids, dropped

    def _generate(
        self, prompts: Sequence[list[int]], on_text: Callable[[str], None] | None, lookup_tokens: int
    ) -> list[tuple[str, int, bool]]:
        import torch

        width = max(map(len, prompts))
        pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._ends[0]
        ids = torch.full((len(prompts), width), pad, dtype=torch.long)  # (batch, width), padded on the left
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        device = self._model.device
        lookup = {"prompt_lookup_num_tokens": lookup_tokens, "max_matching_ngram_size": LOOKUP_NGRAM}
        with torch.inference_mode(), self._adapter():
            out = self._model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                pad_token_id=pad,
                eos_token_id=self._ends,
                streamer=_Streamer(self._tokenizer, on_text) if on_text and len(prompts) == 1 else None,
                **(lookup if lookup_tokens else {}),
            )
        return [self._decode(row) for row in out[:, width:].tolist()]

    def _decode(self, row: list[int]) -> tuple[str, int, bool]:
        stop = next((n for n, t in enumerate(row) if t in self._ends), None)
        tokens = row if stop is None else row[:stop]
        return self._tokenizer.decode(tokens, skip_special_tokens=True).strip(), len(tokens), stop is None

    @contextmanager
    def opened(self) -> Iterator[tuple[Any, Any]]:
        """The transformers model, its adapter on or off as in this variant, and the tokenizer: to measure, not to change."""
        with self._adapter():
            yield self._model, self._tokenizer

    def _adapter(self) -> AbstractContextManager[Any]:
        has_adapter = hasattr(self._model, "disable_adapter")
        return self._model.disable_adapter() if has_adapter and not self._tuned else nullcontext()

    def variant(self, tuned: bool) -> "LocalModel":
        """The same weights with the adapter on or off; nothing is loaded again."""
        if tuned and not hasattr(self._model, "disable_adapter"):
            raise MedqaError("wanted a fine-tuned variant, found no adapter loaded; set generator.adapter")
        return LocalModel(
            self._model,
            self._tokenizer,
            max_new_tokens=self._max_new_tokens,
            prompt_tokens=self._prompt_tokens,
            batch_size=self._batch_size,
            tuned=tuned,
            lookup_tokens=self._lookup_tokens,
        )


class _Streamer:
    """Hands over decoded text whenever it has grown; transformers calls ``put`` with new tokens, the prompt first."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None]) -> None:
        self._tokenizer, self._on_text = tokenizer, on_text
        self._tokens: list[int] = []
        self._prompt_seen = False
        self._shown = ""

    def put(self, value: Any) -> None:
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self._tokens += value.reshape(-1).tolist()
        text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        if not text.endswith("\ufffd") and len(text) > len(self._shown):  # half a character waits for its rest
            self._on_text(text[len(self._shown) :])
            self._shown = text

    def end(self) -> None:
        pass


def load_model(
    model: str,
    adapter: str | None,
    *,
    quantize: str,
    device: str,
    max_new_tokens: int,
    prompt_tokens: int,
    batch_size: int,
    offline: bool,
    seed: int = 0,
    lookup_tokens: int = 0,
) -> LocalModel:
    """Load a base model (folder or hub id) and, if given, its adapter.

    Raises:
        MedqaError: no such folder and not in the local cache, no adapter there, or an adapter of another base model.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from medqa.packed import fits_twice, pack_linear_layers

    logging.disable_progress_bar()
    folder = resolve_model(model, offline)
    if adapter is not None:
        check_adapter(locate(adapter), folder)
    place = pick_device(device)
    options: dict[str, Any] = {"dtype": getattr(torch, pick_dtype(place)), "device_map": {"": place}}
    if quantize == "nf4":
        options["quantization_config"] = nf4_config(options["dtype"])
    torch.manual_seed(seed)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise MedqaError(
            f"wanted a transformers model at {model}, found none that loads ({short_reason(error)})"
        ) from error
    if adapter is not None:
        from peft import PeftModel

        loaded = PeftModel.from_pretrained(loaded, str(locate(adapter)))
    loaded.eval()
    if place == "cpu" and fits_twice(loaded):
        pack_linear_layers(loaded)
    return LocalModel(
        loaded,
        load_tokenizer(folder),
        max_new_tokens=max_new_tokens,
        prompt_tokens=prompt_tokens,
        batch_size=batch_size,
        tuned=adapter is not None,
        lookup_tokens=lookup_tokens,
    )


def _end_ids(model: Any, tokenizer: Any) -> list[int]:
    """``<|end|>`` and every end id that the model's own generation settings name."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    named = configured if isinstance(configured, list) else [configured]
    return list(dict.fromkeys([end_token_id(tokenizer), *(int(t) for t in named if t is not None)]))


def _batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length: less padding."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    for start in range(0, len(order), size):
        yield order[start : start + size]
