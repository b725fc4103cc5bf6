import random
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune import attention
from finetune.attention import half_precision, packed_rows_attention, plain_attention
from finetune.collate import Collator, loss_positions
from finetune.lora import add_lora
from finetune.loss import summed_loss
from finetune.masking import IGNORE, Encoded
from finetune.packing import WINDOW, PackCollator, Packs, most_rows, pack_order, plan_packs, rows_of, split_rows
from tests.tiny_phi3 import tiny_model

TARGETS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")


def toy_rows(sizes, seed=0):
    rng = random.Random(seed)
    rows = []
    for size in sizes:
        ids = [rng.randint(5, 500) for _ in range(size)]
        prompt = max(1, size // 2)
        rows.append(Encoded(ids, [IGNORE] * prompt + ids[prompt:]))
    return rows


def items(rows):
    return [{"input_ids": r.input_ids, "labels": r.labels} for r in rows]


def model_with_lora(implementation="sdpa"):
    torch.manual_seed(1)
    model, _ = add_lora(tiny_model(), TARGETS, r=4, alpha=8, dropout=0.0)
    for name, parameter in model.named_parameters():  # B starts at 0: nothing would reach A
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.config._attn_implementation = implementation
    return model.train()


def loss_and_gradients(model, batches):
    """Of the token-weighted mean over all batches, as one optimiser step has it."""
    count = sum(int((b["labels"] != IGNORE).sum()) for b in batches)
    model.zero_grad()
    total = 0.0
    for batch in batches:
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "tokens")}
        logits = model(**inputs, use_cache=False).logits
        loss = summed_loss(logits, batch["labels"], batch["logits_to_keep"]) / count
        loss.backward()
        total += loss.item()
    return total, {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def assert_same(left, right):
    assert left[0] == pytest.approx(right[0], abs=2e-6)
    assert left[1].keys() == right[1].keys()
    for name in left[1]:
        torch.testing.assert_close(left[1][name], right[1][name], atol=2e-6, rtol=2e-4)


SIZES = [17, 5, 30, 64, 9, 2, 41]


def alone(model, rows):
    """Token-weighted mean loss by transformers' own loss, one row at a time: the second implementation."""
    count = sum(label != IGNORE for r in rows for label in r.labels)
    model.zero_grad()
    total = 0.0
    for row in rows:
        loss = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels]), use_cache=False).loss
        loss = loss * sum(label != IGNORE for label in row.labels) / count
        loss.backward()
        total += loss.item()
    return total, {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_packed_and_padded_rows_have_the_loss_and_gradients_of_rows_alone(implementation):
    rows, model = toy_rows(SIZES), model_with_lora(implementation)
    truth = alone(model, rows)
    pack = PackCollator(pad_id=0, length=192, longest=64, most=7, borders=False)
    assert_same(loss_and_gradients(model, [pack([items(rows)])]), truth)
    assert_same(loss_and_gradients(model, [pack([items(rows[:3])]), pack([items(rows[3:])])]), truth)  # accumulated
    assert_same(loss_and_gradients(model, [Collator(0)(items(rows))]), truth)
    assert_same(loss_and_gradients(model, [Collator(0, 64)(items(rows[:5])), Collator(0, 64)(items(rows[5:]))]), truth)


def rows_one_by_one(query, key, value, borders, longest, scaling):
    """What the kernel computes on a GPU, a row at a time."""
    found = torch.zeros_like(query)
    ends = borders.tolist()
    for a, b in pairwise(ends):
        assert 0 <= b - a <= longest
        if b > a:
            q, k, v = (t[a:b].transpose(0, 1) for t in (query, key, value))
            scores = (q @ k.transpose(1, 2) * scaling).masked_fill(torch.ones(b - a, b - a).triu(1).bool(), -torch.inf)
            found[a:b] = (scores.softmax(-1) @ v).transpose(0, 1)
    return found


def test_attention_by_borders_equals_attention_by_positions(monkeypatch):
    from transformers import AttentionInterface

    monkeypatch.setattr(attention, "flash_rows", rows_one_by_one)
    AttentionInterface.register(attention.NAME, packed_rows_attention)
    rows, model = toy_rows(SIZES), model_with_lora()
    truth = alone(model, rows)
    model.config._attn_implementation = attention.NAME
    pack = PackCollator(pad_id=0, length=400, longest=64, most=7, borders=True)
    assert_same(loss_and_gradients(model, [pack([items(rows)])]), truth)
    with plain_attention(model):  # evaluation
        assert_same(loss_and_gradients(model, [Collator(0)(items(rows))]), truth)
    assert model.config._attn_implementation == attention.NAME


def test_fewer_key_heads_are_repeated(monkeypatch):
    monkeypatch.setattr(attention, "flash_rows", rows_one_by_one)
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 10, 8), torch.randn(1, 2, 10, 8), torch.randn(1, 2, 10, 8)
    borders = torch.tensor([0, 4, 10], dtype=torch.int32)
    found, _ = packed_rows_attention(None, q, k, v, None, scaling=0.3, cu_seq_lens_q=borders, max_length_q=6)
    for a, b in ((0, 4), (4, 10)):
        wanted = torch.nn.functional.scaled_dot_product_attention(
            q[:, :, a:b], k[:, :, a:b], v[:, :, a:b], is_causal=True, scale=0.3, enable_gqa=True
        )
        torch.testing.assert_close(found[:, a:b], wanted.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_a_pack_by_hand():
    rows = [Encoded([5, 6, 7], [IGNORE, 6, 7]), Encoded([8, 9], [IGNORE, 9])]
    batch = PackCollator(pad_id=0, length=10, longest=3, most=2, borders=True)([items(rows)])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 0, 0, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[IGNORE, 6, 7, IGNORE, 9] + [IGNORE] * 5]
    assert batch["logits_to_keep"].tolist() == [0, 1, 3]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5, 8, 10, 10, 10]  # two rows, four pieces of padding at most
    assert (batch["max_length_q"], batch["tokens"]) == (3, 5)
    assert "attention_mask" not in batch  # with one, rows would see each other


def test_every_pack_has_the_same_shapes():
    pack = PackCollator(pad_id=0, length=128, longest=40, most=4, borders=True)
    shapes = {
        tuple(tuple(pack([items(toy_rows(sizes))])[k].shape) for k in ("input_ids", "position_ids", "cu_seq_lens_q"))
        for sizes in ([40, 40, 40, 8], [5], [32, 32, 32, 32], [1, 2, 3])
    }
    assert len(shapes) == 1


LENGTHS = st.lists(st.integers(1, 100), max_size=200)


@given(LENGTHS, st.integers(100, 400), st.randoms(use_true_random=False))
def test_packing_keeps_every_row_once_within_the_length(lengths, capacity, rng):
    order = list(range(len(lengths)))
    rng.shuffle(order)
    packs = plan_packs(lengths, order, capacity)
    assert sorted(i for pack in packs for i in pack) == sorted(order)
    for pack in packs:
        assert pack and sum(lengths[i] for i in pack) <= capacity and len(pack) <= most_rows(capacity)
    place = {row: n for n, row in enumerate(order)}
    taken = [place[i] for pack in packs for i in pack]
    for n, wanted in enumerate(taken):  # nothing jumps the queue by more than the window
        waiting = sorted(set(range(len(order))) - set(taken[:n]))
        assert wanted in waiting[:WINDOW]


def test_medquad_like_lengths_fill_packs():
    rng = random.Random(0)
    lengths = [min(1024, int(rng.lognormvariate(5.4, 0.8)) + 20) for _ in range(2000)]
    packs = plan_packs(lengths, list(range(2000)), 8192)
    assert sum(lengths) / (8192 * len(packs)) > 0.97


def test_packs_keep_their_contents_and_change_their_order():
    assert pack_order(6, seed=1, epoch=0) == list(range(6))
    orders = [pack_order(30, 1, epoch) for epoch in (1, 2)]
    assert orders[0] != orders[1] and all(sorted(o) == list(range(30)) for o in orders)
    rows = toy_rows([3, 4, 5])
    assert Packs(rows, [[2, 0], [1]])[0] == items([rows[2], rows[0]])


@given(st.lists(st.integers(2, 60), min_size=1, max_size=20), st.integers(1, 8), st.booleans())
def test_a_batch_splits_into_the_rows_it_was_made_of(sizes, parts, packed):
    rows = items(toy_rows(sizes))
    collator = PackCollator(0, sum(sizes) + 7, 60, len(sizes), borders=True) if packed else Collator(0)
    batch = collator([rows]) if packed else collator(rows)
    assert rows_of(batch) == rows
    groups = split_rows(rows, parts, padded=not packed)
    assert [row for group in groups for row in group] == rows and 1 <= len(groups) <= parts
    for group in groups:
        assert rows_of(collator.part(group, parts)) == group


def test_logits_are_wanted_before_supervised_tokens_only():
    labels = torch.tensor([[IGNORE, IGNORE, 7, IGNORE], [IGNORE, IGNORE, IGNORE, 9]])
    assert loss_positions(labels).tolist() == [1, 2]


def test_the_loss_by_slices_is_torchs(monkeypatch):
    monkeypatch.setattr("finetune.loss.CHUNK", 7)
    torch.manual_seed(0)
    logits = torch.randn(2, 20, 30, requires_grad=True)
    labels = torch.randint(0, 30, (2, 20))
    labels[:, :5] = IGNORE
    kept = loss_positions(labels)
    summed_loss(logits[:, kept], labels, kept).backward()
    ours, logits.grad = logits.grad, None
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum").backward()
    torch.testing.assert_close(ours, logits.grad)


def test_what_is_in_fp32_is_brought_to_the_precision_that_autocast_computes_in():
    """With fp16 and a 4-bit base even the values come in fp32, and flash attention refuses that."""
    assert [half_precision(d) for d in (torch.float16, torch.bfloat16)] == [torch.float16, torch.bfloat16]
    before = torch.get_autocast_dtype("cuda")
    try:
        for dtype in (torch.float16, torch.bfloat16):
            torch.set_autocast_dtype("cuda", dtype)
            assert half_precision(torch.float32) == dtype
    finally:
        torch.set_autocast_dtype("cuda", before)


@pytest.mark.gpu
def test_flash_attention_by_borders_is_exact_on_the_gpu():
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no CUDA device of compute capability 8.0")
    torch.manual_seed(0)
    q, k, v = (torch.randn(100, 4, 32, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    borders = torch.tensor([0, 30, 31, 100, 100], dtype=torch.int32)
    found = attention.flash_rows(q, k, v, borders.cuda(), 69, 0.2)
    wanted = rows_one_by_one(q.cpu().float(), k.cpu().float(), v.cpu().float(), borders, 69, 0.2)
    assert (found.cpu().float() - wanted).norm() / wanted.norm() < 0.01
