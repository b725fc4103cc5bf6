"""A small cross-encoder that trains: the encoder's transformer reads question and passage together and gives one score."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.retriever_model import BASE_NAME, TARGETS, matmul_dtype, pad, parallel_tokenising, save_adapter


class TrainableReranker:
    """Pairs of question and passage -> scores; LoRA on all linear layers (the pooler's too), the head trained whole."""

    def __init__(
        self, folder: Path, r: int, device: str, max_length: int, seed: int, layers: int | None = None
    ) -> None:
        import torch
        from peft import LoraConfig, TaskType, get_peft_model
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.device, self.max_length = device, max_length
        self.dtype = matmul_dtype(device)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        torch.manual_seed(seed)  # the head and LoRA's A matrices start at random
        fewer = {} if layers is None else {"num_hidden_layers": layers}  # the lower ones
        base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, local_files_only=True, **fewer)
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=r,
            lora_alpha=2 * r,
            target_modules=list(TARGETS),
            modules_to_save=["classifier"],
        )
        self.layers = int(base.config.num_hidden_layers)
        self.model: Any = get_peft_model(base, config).to(device)
        self.model.peft_config["default"].base_model_name_or_path = BASE_NAME

    def parameters(self) -> list[Any]:
        """Those that train."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def tokenise(self, questions: Sequence[str], passages: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """(token ids, segment ids) of each pair; the longer side is cut where both do not fit."""
        with parallel_tokenising():
            both = self.tokenizer(
                list(questions), list(passages), truncation="longest_first", max_length=self.max_length, padding=False,
                return_attention_mask=False, return_token_type_ids=True,
            )  # fmt: skip
        return list(zip(both["input_ids"], both["token_type_ids"], strict=True))

    def forward(self, rows: Sequence[tuple[list[int], list[int]]]) -> Any:
        """(n,) float32 scores, differentiable; higher is better, comparable between passages of one question only."""
        import torch

        features = pad([ids for ids, _ in rows], self.tokenizer.pad_token_id, self.device)
        features["token_type_ids"] = pad([segments for _, segments in rows], 0, self.device)["input_ids"]
        with torch.autocast(self.device.partition(":")[0], dtype=self.dtype, enabled=self.dtype != torch.float32):
            return self.model(**features).logits[:, 0].float()

    def score(self, questions: Sequence[str], passages: Sequence[str], batch: int = 512) -> Any:
        """(n,) float32 scores on the CPU, without gradients or dropout."""
        import torch
        from tqdm import tqdm

        self.model.eval()
        rows = self.tokenise(questions, passages)
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i][0]))
        scores = torch.zeros(len(rows))
        with torch.no_grad():
            for start in tqdm(range(0, len(order), batch), desc="rerank", unit="batch", disable=None, leave=False):
                chunk = order[start : start + batch]
                scores[chunk] = self.forward([rows[i] for i in chunk]).cpu()
        return scores

    def save(self, folder: Path) -> None:
        """A PEFT folder in float16."""
        save_adapter(self.model, folder)
