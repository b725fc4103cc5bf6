import torch
from torch._dynamo.testing import CompileCounterWithBackend

from finetune.layers import decoder_layers, prepare_layers, restore_layers, uncompiled
from finetune.packing import PackCollator

from .test_packing import assert_same, items, loss_and_gradients, model_with_lora, toy_rows

PACK = PackCollator(pad_id=0, length=96, longest=48, most=4, borders=False)


def test_compiled_and_recomputed_layers_give_the_same_gradients_and_compile_once():
    model = model_with_lora()
    batches = [PACK([items(toy_rows(sizes, n))]) for n, sizes in enumerate(([40, 30, 20], [48, 48], [7, 8, 9, 10]))]
    plain = [loss_and_gradients(model, [b]) for b in batches]
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    prepare_layers(model, recompute=1, compiled=True, backend=counter)
    compiled = []
    frames = []
    for batch in batches:
        compiled.append(loss_and_gradients(model, [batch]))
        frames.append(counter.frame_count)
    for left, right in zip(plain, compiled, strict=True):
        assert_same(left, right)
    # One graph for the first layer, whose input needs no gradient, one for all others; none for later packs.
    assert frames == [2, 2, 2]
    with uncompiled(True), torch.no_grad():  # other shapes, no compilation
        model(input_ids=torch.tensor([[5, 6, 7]]), use_cache=False)
    assert counter.frame_count == 2
    restore_layers(model)
    assert all("forward" not in layer.__dict__ for layer in decoder_layers(model))
    assert_same(loss_and_gradients(model, [batches[0]]), plain[0])
    torch._dynamo.reset()


def test_recomputing_runs_the_layer_twice_and_only_where_asked():
    model = model_with_lora()
    runs = [0, 0]
    for n, layer in enumerate(decoder_layers(model)):
        layer.mlp.register_forward_pre_hook(  # the second time ends within the layer
            lambda *_, n=n: runs.__setitem__(n, runs[n] + 1)
        )
    prepare_layers(model, recompute=1, compiled=False)
    loss_and_gradients(model, [PACK([items(toy_rows([20, 20]))])])
    assert runs == [2, 1]
