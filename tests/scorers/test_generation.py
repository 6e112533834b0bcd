"""What is drawn from a policy is drawn by the probabilities that are trained."""

from __future__ import annotations

import pytest
import torch
from language_models import VOCABULARY, byte_tokenizer, gpt2, llama
from transformers import AutoConfig, AutoModelForCausalLM

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.generation import continuations, require_padding_in_front
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.scores import log_probs

_SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def _of(kind, **options):
    torch.manual_seed(0)
    options = {"vocab_size": VOCABULARY, **_SHAPE, "intermediate_size": 64, **options}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **options)).eval()
    for one in model.parameters():
        if one.dim() > 1:
            torch.nn.init.normal_(one.data, std=0.15)
    return model


def _causal(model):
    """Whether what is predicted first hangs on what is first alone."""
    with torch.no_grad():
        one, other = model(torch.tensor([[5, 6, 7], [5, 6, 20]])).logits[:, :2]
    return torch.allclose(one, other, atol=1e-6)


def _recurrent_gemma():
    layers = {"block_types": ["recurrent", "attention"], "attention_window_size": 8}
    return _of("recurrent_gemma", lru_width=32, head_dim=8, num_key_value_heads=1, **layers)


@pytest.mark.parametrize(
    ("build", "calls"),
    [
        (llama, 1),
        (gpt2, 1),
        (_recurrent_gemma, 3),
        (lambda: _of("roformer", is_decoder=True, embedding_size=32), 3),
    ],
    ids=["llama", "gpt2", "recurrent-gemma", "roformer"],
)
def test_prompts_of_other_lengths_change_nothing(build, calls, monkeypatch):
    """Some models take padding in front for text, or count positions from it."""
    given_model = build()
    if given_model.config.model_type == "roformer" and not _causal(given_model):
        with pytest.raises(ConfigurationError, match="both directions"):  # transformers 5.17
            prepare_model(given_model, byte_tokenizer())
        return
    prepared = prepare_model(given_model, byte_tokenizer())
    model, drawn = prepared.model, []
    generate = model.generate

    def recording(ids, attention_mask, generation_config):
        if not generation_config.do_sample:
            return generate(ids, attention_mask=attention_mask, generation_config=generation_config)
        generation_config.update(output_scores=True, return_dict_in_generate=True)
        found = generate(ids, attention_mask=attention_mask, generation_config=generation_config)
        steps = torch.stack(found.scores, 1).log_softmax(-1)
        tokens = found.sequences[:, ids.shape[1] :]
        for prompt, mask, new, law in zip(ids, attention_mask, tokens, steps, strict=True):
            drawn.append((prompt[mask.bool()].tolist(), new.tolist(), law))
        recording.calls += 1
        return found.sequences

    recording.calls = 0
    monkeypatch.setattr(model, "generate", recording)
    given = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16, 17], [18, 19]]
    law = SamplingLaw(min_new_tokens=0, max_new_tokens=5)
    torch.manual_seed(0)
    found = continuations(model, prepared.tokenizer, given, law, special=True)
    assert recording.calls == calls
    assert {tuple(one) for one, *_ in drawn} == {tuple(one) for one in given}
    assert all(new in [whole[: len(new)] for _, whole, _ in drawn] for new in found)
    for prompt, new, law_of_steps in drawn:
        kept = next(
            n for g, n in zip(given, found, strict=True) if g == prompt and n == new[: len(n)]
        )
        taken = law_of_steps[range(len(kept)), kept].sum()
        with torch.no_grad():
            trained = log_probs(model, lay_out([(prompt, kept, kept)], prepared.pad_id))[0, 0]
        torch.testing.assert_close(taken.double(), trained, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "build",
    [lambda: _of("rwkv", attention_hidden_size=32), lambda: _of("roberta", is_decoder=True)],
    ids=["rwkv", "roberta"],
)
@pytest.mark.parametrize("given", [[[5, 6]], [[5, 6], [7, 8, 9]]], ids=["alike", "other lengths"])
def test_what_transformers_draws_by_another_law_is_refused(build, given):
    """It mixes up the rows of RWKV, and counts the positions of RoBERTa otherwise."""
    prepared = prepare_model(build(), byte_tokenizer())
    with pytest.raises(ConfigurationError, match="other probabilities"):
        continuations(prepared.model, prepared.tokenizer, given, SamplingLaw())


def test_whoever_reads_padding_in_front_is_not_trained_online():
    """TRL pads there, whatever the model makes of it."""
    tokenizer = byte_tokenizer()
    require_padding_in_front(llama(), tokenizer)
    with pytest.raises(ConfigurationError, match=r"RecurrentGemma.* cannot be trained online"):
        require_padding_in_front(_recurrent_gemma(), tokenizer)
