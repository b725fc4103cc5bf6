"""One process, or several that train together (started by ``torchrun``): who is who, and how they agree.

The main process writes and prints; the others compute. With one process every function here does nothing.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from medqa.errors import MedqaError

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: while one embeds a large corpus, the others do nothing."""


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Number of this process on its machine, from 0: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes and prints."""
    return rank() == 0


def say(text: str) -> None:
    """One line on stderr, from the main process."""
    if is_main():
        print(text, file=sys.stderr, flush=True)


def refuse_several(verb: str) -> None:
    """For verbs that one process does.

    Raises:
        MedqaError: started by torchrun with more than one.
    """
    if world_size() > 1:
        raise MedqaError(f"wanted one process for {verb}, found {world_size()}; start it without torchrun")


def join(device: str) -> None:
    """Find the other processes and, on ``cuda``, take this one's GPU; nothing with one process or when called again.

    Raises:
        MedqaError: more processes than GPUs.
    """
    if world_size() == 1:
        return
    import torch
    import torch.distributed as dist

    if device == "cuda":
        if local_rank() >= torch.cuda.device_count():
            raise MedqaError(
                f"wanted a GPU for each process, found {torch.cuda.device_count()} for process {local_rank()} (from 0); "
                "start as many with torchrun --nproc-per-node as there are GPUs"
            )
        torch.cuda.set_device(local_rank())
    if not dist.is_initialized():
        # Objects and flags travel through gloo, so that agreeing on a step's end does not wait for the GPU.
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)


def leave() -> None:
    """Part from the others; after this each process is alone."""
    if world_size() > 1:
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()


def end(code: int) -> NoReturn:
    """End this process with ``code``, its output written.

    Beside others the interpreter is not taken down first: a thread of gloo that lets go of a tensor meanwhile aborts the
    process (https://github.com/pytorch/pytorch/pull/179291), and torchrun then calls a finished training a failed one.
    """
    if world_size() == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait() -> None:
    """Until all processes are here."""
    any_of(False)


def any_of(flag: bool) -> bool:
    """Whether ``flag`` is true in any process; all of them must ask."""
    if world_size() == 1:
        return flag
    import torch
    import torch.distributed as dist

    flags = torch.tensor([int(flag)])
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags.item())


def from_main(make: Callable[[], T]) -> T:
    """What ``make`` returns in the main process, in all of them; a ``MedqaError`` there is raised in all of them.

    For what costs much, or what two processes might do differently: choosing examples, looking for a checkpoint.
    """
    if world_size() == 1:
        return make()
    import torch.distributed as dist

    box: list[Any] = [None, None]
    if is_main():
        try:
            box[0] = make()
        except MedqaError as error:
            box[1] = error
    dist.broadcast_object_list(box, src=0)
    if box[1] is not None:
        raise box[1]
    result: T = box[0]
    return result
