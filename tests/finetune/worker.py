"""One of several training processes under test: the command line, with every row that is trained on written down.

    torchrun --nproc-per-node 2 tests/finetune/worker.py FOLDER [--stop STEP] [--shard] -- medqa's arguments

Writes FOLDER/rank-N.jsonl: first the world size that the trainer sees, then one line per forward pass with its step and rows.
``--stop`` sends SIGTERM to the last process alone, during that step. ``--shard`` lets FSDP run on CPUs, which accelerate
does not offer: the sharding is torch's own, the messages travel through gloo.
"""

import json
import os
import signal
import sys
from pathlib import Path

from finetune import command
from finetune.masking import IGNORE
from medqa import hardware
from medqa.cli import main
from medqa.processes import end, rank, world_size


def record_rows(folder, stop):
    from finetune.trainer import OrderedTrainer

    plain = OrderedTrainer.training_step
    file = folder / f"rank-{rank()}.jsonl"

    def training_step(self, model, inputs, *args, **kwargs):
        step = self.state.global_step + 1
        if step == stop and rank() == world_size() - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        pairs = zip(inputs["input_ids"].tolist(), inputs["labels"].tolist(), strict=True)
        rows = [ids for ids, labels in pairs if any(label != IGNORE for label in labels)]
        with file.open("a") as stream:
            sees = {"world": self.args.world_size, "type": str(self.accelerator.distributed_type)}
            stream.write(json.dumps({**sees, "step": step, "rows": rows}) + "\n")
        return plain(self, model, inputs, *args, **kwargs)

    OrderedTrainer.training_step = training_step


def shard_on_cpus():
    import accelerate.state
    from accelerate.utils import DistributedType

    plain = accelerate.state.AcceleratorState.__init__

    def init(self, *args, fsdp_plugin=None, **kwargs):
        plain(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        plugin = fsdp_plugin or self.__dict__.get(
            "fsdp_plugin"
        )  # all instances share their state; each call resets the type
        if plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugin

    accelerate.state.AcceleratorState.__init__ = init
    command.refuse_sharding = command.refuse_4bit_on_cpu = lambda *_: None
    import finetune.model

    finetune.model.refuse_4bit_on_cpu = lambda *_: None
    # On CPUs with bf16 bitsandbytes lays 4-bit weights out anew for evaluation, which toys of 32 columns do not fit.
    import bitsandbytes.nn.modules

    bitsandbytes.nn.modules.has_avx512bf16 = lambda: False


def compute_in_fp32():
    """Losses of one and of two processes are compared to the fifth digit; bf16 has three."""
    hardware.cpu_has_bf16 = lambda: False


if __name__ == "__main__":
    compute_in_fp32()
    split = sys.argv.index("--")
    own, arguments = sys.argv[1:split], sys.argv[split + 1 :]
    record_rows(Path(own[0]), int(own[own.index("--stop") + 1]) if "--stop" in own else None)
    if "--shard" in own:
        shard_on_cpus()
    end(main(arguments))
