import random

from hypothesis import given
from hypothesis import strategies as st

from finetune.collate import Collator, Rows
from finetune.masking import IGNORE, Encoded
from finetune.sampling import epoch_order

STRATEGIES = ["random", "length", "short_first", "easy_first"]


@given(
    st.lists(st.integers(1, 900), max_size=120), st.integers(1, 9), st.sampled_from(STRATEGIES), st.sampled_from([0, 1])
)
def test_a_strategy_changes_only_the_order(lengths, batch, strategy, epoch):
    difficulty = [1 / length for length in lengths]
    order = epoch_order(lengths, batch, 3, epoch, strategy, difficulty)
    assert sorted(order) == list(range(len(lengths)))
    assert order == epoch_order(lengths, batch, 3, epoch, strategy, difficulty)


def test_curricula_sort_the_first_epoch_and_shuffle_later_ones():
    lengths, difficulty = [5, 3, 9, 3, 1], [0.5, 2.0, 0.1, 1.0, 3.0]
    short = epoch_order(lengths, 2, 0, 0, "short_first")
    assert [lengths[i] for i in short] == [1, 3, 3, 5, 9]
    assert epoch_order(lengths, 2, 0, 0, "easy_first", difficulty) == [2, 0, 3, 1, 4]
    for strategy in ("short_first", "easy_first"):
        assert epoch_order(lengths, 2, 0, 1, strategy, difficulty) == epoch_order(lengths, 2, 0, 1, "random")


def test_epochs_and_seeds_differ():
    lengths = list(range(1, 65))
    orders = {tuple(epoch_order(lengths, 4, s, e, "length")) for s in (0, 1) for e in (0, 1)}
    assert len(orders) == 4


def test_grouping_saves_padding_and_puts_the_longest_first():
    lengths = [random.Random(n).randint(10, 900) for n in range(403)]

    def padded(strategy):
        order = epoch_order(lengths, 8, 0, 0, strategy)
        batches = [order[i : i + 8] for i in range(0, len(order), 8)]
        return sum(max(lengths[i] for i in b) * len(b) for b in batches)

    assert padded("length") < 1.1 * sum(lengths) < 1.5 * sum(lengths) < padded("random")
    assert lengths[epoch_order(lengths, 8, 0, 0, "length")[0]] == max(lengths)


def test_batches_are_padded_on_the_right_to_a_multiple_of_eight():
    rows = Rows([Encoded([5, 6, 7], [IGNORE, 6, 7]), Encoded(list(range(9)), [IGNORE] * 8 + [8])])
    batch = Collator(pad_id=0)([rows[0], rows[1]])
    assert {batch[k].shape for k in ("input_ids", "attention_mask", "labels")} == {(2, 16)}
    assert batch["tokens"] == 12 and batch["logits_to_keep"].tolist() == [0, 1, 7]
    assert batch["input_ids"][0].tolist() == [5, 6, 7] + [0] * 13
    assert batch["labels"][0].tolist() == [IGNORE, 6, 7] + [IGNORE] * 13
    assert batch["attention_mask"].sum(1).tolist() == [3, 9]


def test_padding_to_a_fixed_length():
    rows = Rows([Encoded([5, 6, 7], [IGNORE, 6, 7])])
    assert Collator(pad_id=0, length=20)([rows[0]])["input_ids"].shape == (1, 20)
