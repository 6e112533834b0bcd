"""Little memory: smaller micro-batches and recomputed activations, with the same weights."""

from __future__ import annotations

import pytest
import torch
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, gpt2, llama, opt, pairs
from peft import LoraConfig

pytestmark = pytest.mark.filterwarnings("ignore")
SGD = {"optim": "sgd", "learning_rate": 0.05, "lr_scheduler_type": "constant"}


def _limited(model, rows, passes="both"):
    """Holds so many pairs, a row each, in a forward pass (in the first, in the second, in both)."""
    forward = model.forward

    def limited(input_ids, **inputs):
        second = torch.is_grad_enabled()
        concerned = {"first": not second, "second": second, "both": True}[passes]
        if concerned and len(input_ids) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(input_ids=input_ids, **inputs)

    model.forward = limited
    return model


@pytest.mark.parametrize("passes", ["first", "second", "both"])
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("risk", ["mean", "cvar"])
def test_what_does_not_fit_is_cut_and_ends_the_same(trained, weights, risk, rows, passes):
    """12 pairs a step, cut at 8 (so that there are two passes); at first 8 rows at once."""
    options = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}
    options |= {"objective": {"risk": risk}, "data": pairs(24), **SGD}
    expected = weights(trained(**options).model)
    trainer = trained(train=False, **options)
    start = weights(trainer.model).clone()
    trainer._know_reference(trainer.pairs)
    _limited(trainer.model, rows, passes)
    if risk == "mean" and passes == "first":  # there is none
        trainer.train()
    else:
        with pytest.warns(UserWarning, match="out of memory with . pairs in a micro-batch"):
            trainer.train()
        assert trainer.memory.most <= rows
    moved = (expected - start).abs().max()
    assert (weights(trainer.model) - expected).abs().max() < 1e-4 * moved


def test_while_gradients_are_half_accumulated(trained, weights):
    """The second of two micro-batches fails: the first one does not count twice."""
    options = {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 2, **SGD}
    expected = weights(trained(**options).model)
    trainer = trained(train=False, **options)
    trainer._know_reference(trainer.pairs)
    forward, calls = trainer.model.forward, []

    def fails_once(**inputs):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(**inputs)

    trainer.model.forward = fails_once
    trainer.train()
    assert len(calls) > 3
    torch.testing.assert_close(weights(trainer.model), expected, rtol=0, atol=1e-6)


def test_in_the_backward_pass(trained, weights):
    expected = weights(trained(**SGD, objective={"risk": "cvar"}).model)
    trainer = trained(train=False, **SGD, objective={"risk": "cvar"})
    calls = []

    def fails_once(gradient):
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return gradient

    trainer.model.lm_head.weight.register_hook(fails_once)
    trainer.train()
    assert len(calls) > 3
    torch.testing.assert_close(weights(trainer.model), expected, rtol=0, atol=1e-6)


def test_it_is_remembered(trained):
    trainer = trained(train=False, per_device_train_batch_size=4, data=pairs(24), **SGD)
    trainer._know_reference(trainer.pairs)
    _limited(trainer.model, 2)
    with pytest.warns(UserWarning, match="out of memory") as warned:
        trainer.train()
    assert sum("out of memory" in str(one.message) for one in warned) == 1


def test_a_pair_alone_that_does_not_fit(trained):
    trainer = trained(train=False)
    trainer._know_reference(trainer.pairs)
    _limited(trainer.model, 0)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.train()


def test_other_errors_are_not_taken_for_it(trained):
    trainer = trained(train=False)

    def broken(**inputs):
        raise RuntimeError("sizes do not match")

    trainer.model.forward = broken
    with pytest.raises(RuntimeError, match="sizes do not match"):
        trainer.train()


def _bert(**options):
    return bert_reward(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)


@pytest.mark.parametrize("reentrant", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("build", [llama, gpt2, opt, _bert])
def test_checkpointing_gives_equal_gradients(trained, weights, build, adapter, reentrant):
    target = {llama: "v_proj", gpt2: "c_attn", opt: "v_proj", _bert: "value"}[build]
    ends, runs = [], []
    for checkpointing in (False, True):
        trainer = trained(
            build(),
            tokenizer=bert_tokenizer() if build is _bert else byte_tokenizer(),
            peft_config=LoraConfig(r=4, target_modules=[target]) if adapter else None,
            gradient_checkpointing=checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": reentrant} if checkpointing else None,
            objective={"risk": "cvar"},
            train=False,
            **SGD,
        )
        trainer._know_reference(trainer.pairs)
        start, count = weights(trainer.model).clone(), []
        (first, *_) = (m for n, m in trainer.model.named_modules() if n.endswith(f".{target}"))
        first.register_forward_pre_hook(lambda *_, count=count: count.append(1))
        trainer.train()
        runs.append(len(count))
        ends.append(weights(trainer.model))
    assert runs == [3, 6]
    assert (ends[0] - start).abs().max() > 1e-4
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)
