"""Models made ready: the pad token of reward models, adapters, and what other programs load."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from language_models import (
    VOCABULARY,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2_reward,
    llama,
    llama_reward,
    pairs,
    save,
)
from peft import AutoPeftModelForCausalLM, AutoPeftModelForSequenceClassification, LoraConfig
from peft import get_peft_model as adapted
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertLMHeadModel,
    T5GemmaConfig,
    T5GemmaForSequenceClassification,
)

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers.language.loading import prepare_model
from surefoot.training.language.preference_config import PreferenceConfig
from surefoot.training.language.trainer import PreferenceTrainer

pytestmark = pytest.mark.filterwarnings("ignore")
LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"])
TEXTS = ["good", "help me, please, it is a very long question", "bad word", "the"]


def _plainly(model, tokenizer, texts):
    """Scores of a padded batch in plain transformers; texts end as ours do."""
    texts = [text + (tokenizer.eos_token or "") for text in texts]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    assert len(set(batch["attention_mask"].sum(1).tolist())) > 1
    with torch.no_grad():
        return model.eval()(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits.flatten()


class TestPadToken:
    """Distinct from the end token, on every way to one."""

    def _prepared(self, tokenizer, vocab_size=VOCABULARY, adapter=False, given=False):
        model = llama_reward(vocab_size=vocab_size)
        if given:
            model = adapted(model, LORA)
        prepared = prepare_model(model, tokenizer, LORA if adapter else None)
        tokenizer = prepared.tokenizer
        assert tokenizer.pad_token_id is not None
        assert tokenizer.pad_token_id != tokenizer.eos_token_id
        assert prepared.model.config.pad_token_id == tokenizer.pad_token_id
        assert tokenizer.pad_token_id < prepared.model.get_input_embeddings().weight.shape[0]
        together = _plainly(prepared.model, tokenizer, TEXTS)
        alone = [
            prepared.model(torch.tensor([tokenizer(text + "</s>")["input_ids"]])).logits.item()
            for text in TEXTS
        ]
        torch.testing.assert_close(together, torch.tensor(alone), rtol=1e-4, atol=1e-5)
        return prepared

    @pytest.mark.parametrize("adapter", [False, True])
    def test_its_own(self, adapter):
        assert self._prepared(byte_tokenizer(), adapter=adapter).tokenizer.pad_token == "<pad>"

    @pytest.mark.parametrize("adapter", [False, True])
    @pytest.mark.parametrize("reserved", ["<|endoftext|>", "<|finetune_right_pad_id|>"])
    @pytest.mark.parametrize("pad", [None, "</s>"])
    def test_one_that_is_reserved(self, adapter, reserved, pad):
        tokenizer = byte_tokenizer(pad=None, reserved=reserved)
        tokenizer.pad_token = pad
        size = len(tokenizer)
        prepared = self._prepared(tokenizer, size, adapter)
        assert prepared.tokenizer.pad_token == reserved
        assert len(prepared.tokenizer) == size

    @pytest.mark.parametrize("adapter", [False, True])
    def test_a_new_one_in_a_row_that_is_left(self, adapter):
        prepared = self._prepared(byte_tokenizer(pad=None), adapter=adapter)
        assert prepared.tokenizer.pad_token == "<|pad|>"
        assert prepared.model.get_input_embeddings().weight.shape[0] == VOCABULARY

    def test_a_new_one_in_a_new_row(self):
        tokenizer = byte_tokenizer(pad=None)
        size = len(tokenizer)
        prepared = self._prepared(tokenizer, size)
        assert prepared.tokenizer.pad_token_id == size
        assert prepared.model.get_input_embeddings().weight.shape[0] == size + 1

    @pytest.mark.parametrize("given", [False, True])
    def test_that_of_the_beginning_under_an_adapter(self, given):
        """Embeddings do not grow there: other programs load the base as it was."""
        tokenizer = byte_tokenizer(pad=None)
        size = len(tokenizer)
        prepared = self._prepared(tokenizer, size, adapter=not given, given=given)
        assert prepared.tokenizer.pad_token == "<s>"
        assert prepared.model.get_input_embeddings().weight.shape[0] == size

    def test_none_at_all_is_an_error(self):
        tokenizer = byte_tokenizer(pad=None, bos=False)
        with pytest.raises(ConfigurationError, match="no token for padding beside its end token"):
            self._prepared(tokenizer, len(tokenizer), adapter=True)

    def test_a_policy_is_left_as_it_is(self):
        tokenizer = byte_tokenizer(pad=None)
        prepared = prepare_model(llama(), tokenizer)
        assert prepared.tokenizer.pad_token is None
        assert prepared.pad_id == tokenizer.eos_token_id


class TestKinds:
    def test_by_class(self):
        made = [
            prepare_model(model, tokenizer)
            for model, tokenizer in [
                (llama(), byte_tokenizer()),
                (llama_reward(), byte_tokenizer()),
                (bert_reward(), bert_tokenizer()),
                (adapted(llama(), LORA), byte_tokenizer()),
            ]
        ]
        kinds = [(one.kind, one.encoder) for one in made]
        assert kinds[0] == ("policy", False) == kinds[3]
        assert kinds[1:3] == [("reward-model", False), ("reward-model", True)]

    @pytest.mark.parametrize("decoder", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_a_policy_sees_no_later_token(self, decoder, dtype):
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape |= {"intermediate_size": 64, "vocab_size": VOCABULARY, "initializer_range": 0.15}
        model = BertLMHeadModel(BertConfig(**shape, is_decoder=decoder)).to(dtype)
        if decoder:
            assert prepare_model(model, byte_tokenizer()).kind == "policy"
            return
        with pytest.raises(ConfigurationError, match="a BertLMHeadModel that reads a text in both"):
            prepare_model(model, byte_tokenizer())

    def test_an_encoder_is_no_causal_model_for_having_a_head_of_that_name(self):
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape |= {"intermediate_size": 64, "num_key_value_heads": 4, "head_dim": 8}
        sides = {side: {**shape, "vocab_size": VOCABULARY} for side in ("encoder", "decoder")}
        config = T5GemmaConfig(**sides, vocab_size=VOCABULARY, num_labels=1)
        model = T5GemmaForSequenceClassification(config, is_encoder_decoder=False)
        assert hasattr(model, "score")
        assert prepare_model(model, byte_tokenizer()).encoder

    @pytest.mark.parametrize(
        ("build", "tokenizer"),
        [(llama, byte_tokenizer), (llama_reward, byte_tokenizer), (bert_reward, bert_tokenizer)],
    )
    def test_weights_that_are_no_numbers(self, build, tokenizer):
        model = build()
        next(model.parameters()).data.fill_(float("nan"))
        with pytest.raises(ConfigurationError, match=r"not finite: its weights are damaged"):
            prepare_model(model, tokenizer())

    def test_by_name(self, tmp_path):
        llama_reward(3).save_pretrained(tmp_path)
        byte_tokenizer().save_pretrained(tmp_path)
        with pytest.raises(ConfigurationError, match=r"args\.scorer"):
            prepare_model(str(tmp_path))
        found = prepare_model(str(tmp_path), kind="reward-model")
        assert torch.equal(found.model.score.weight, llama_reward(3).score.weight)
        assert found.tokenizer.padding_side == "right"

    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot load the model"):
            prepare_model(str(tmp_path), kind="policy")

    def test_a_body_that_is_not_in_the_file(self, tmp_path):
        """A reward model may begin with a new head, not with a body drawn at random."""
        folder = save(tmp_path / "policy", llama(), byte_tokenizer())
        assert prepare_model(folder, kind="reward-model").kind == "reward-model"
        weights = load_file(tmp_path / "policy" / "model.safetensors")
        odd = {name.replace("model.", "student."): value for name, value in weights.items()}
        save_file(odd, tmp_path / "policy" / "model.safetensors", metadata={"format": "pt"})
        for kind in ("reward-model", "policy"):
            with pytest.raises(ConfigurationError, match="drawn at random"):
                prepare_model(folder, kind=kind)

    def test_a_pooler_is_part_of_a_new_head(self, tmp_path):
        folder = save(tmp_path, BertForMaskedLM(bert_reward().config), bert_tokenizer())
        assert prepare_model(folder, kind="reward-model").encoder

    def test_a_model_made_in_memory_needs_its_tokenizer(self):
        with pytest.raises(ConfigurationError, match="needs its tokenizer"):
            prepare_model(llama())

    def test_a_wrong_task_is_refused_and_a_right_one_filled_in(self):
        wrong = LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM")
        with pytest.raises(ConfigurationError, match="needs SEQ_CLS"):
            prepare_model(llama_reward(), byte_tokenizer(), wrong)
        found = prepare_model(llama_reward(), byte_tokenizer(), LORA)
        assert found.model.peft_config["default"].task_type == "SEQ_CLS"
        assert LORA.task_type is None  # what was given stays as it was

    @pytest.mark.parametrize(
        ("build", "tokenizer", "limit"),
        [(llama, byte_tokenizer, 64), (bert_reward, bert_tokenizer, 60)],
    )
    def test_texts_are_no_longer_than_the_model_reads(self, tmp_path, build, tokenizer, limit):
        """Learned positions end; an encoder's tokenizer knows how many are for text."""
        made = tokenizer()
        made.model_max_length = 60
        trainer = PreferenceTrainer(
            build(max_position_embeddings=64),
            PreferenceConfig(output_dir=str(tmp_path), use_cpu=True, max_length=500),
            [row | {"prompt": "word " * 90} for row in pairs(4)],
            processing_class=made,
        )
        assert trainer.pairs.tokens.lengths.max() == limit


class TestSaved:
    """A folder gives the scores of the trained model, in plain transformers and peft."""

    def _trained(self, tmp_path, model, tokenizer, peft_config=None):
        args = PreferenceConfig(
            output_dir=str(tmp_path / "run"),
            use_cpu=True,
            disable_tqdm=True,
            max_steps=3,
            learning_rate=1e-2,
            save_strategy="no",
        )
        trainer = PreferenceTrainer(
            model, args, pairs(9), processing_class=tokenizer, peft_config=peft_config
        )
        trainer.train()
        trainer.save_model(str(tmp_path / "model"))
        return trainer, str(tmp_path / "model")

    @pytest.mark.parametrize(
        ("build", "tokenizer"),
        [
            (llama_reward, lambda: byte_tokenizer(pad=None)),
            (lambda: llama_reward(vocab_size=360), lambda: byte_tokenizer(pad=None)),
            (gpt2_reward, byte_tokenizer),
            (bert_reward, bert_tokenizer),
        ],
        ids=["llama", "grown", "gpt2", "bert"],
    )
    def test_reward_model(self, tmp_path, build, tokenizer):
        trainer, folder = self._trained(tmp_path, build(), tokenizer())
        loaded = AutoModelForSequenceClassification.from_pretrained(folder)
        beside = AutoTokenizer.from_pretrained(folder)
        assert loaded.config.num_labels == 1
        found = _plainly(loaded, beside, TEXTS)
        torch.testing.assert_close(found, _plainly(trainer.model, beside, TEXTS))
        rows = [{"prompt": "", "response_a": t, "response_b": "", "label": 1.0} for t in TEXTS]
        pairs_of = type(trainer.pairs).of(
            Preferences.from_rows(rows),
            beside,
            trainer.objective,
            "rewards",
            99,
            trainer.pairs.encoder,
            learning=False,
        )
        trainer.eval_pairs = {"": pairs_of}
        step = trainer.engine.batch(pairs_of.tokens, torch.arange(4).numpy())
        with torch.no_grad():
            ours = trainer.score.of_model(trainer.model.eval(), step)[:, 0]
        torch.testing.assert_close(found, ours, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("ending", ["loaded", "merged"])
    def test_the_head_of_an_adapted_reward_model_survives(self, tmp_path, ending):
        llama_reward(7, pad_token_id=2).save_pretrained(tmp_path / "base")
        base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=1)
        head = copy.deepcopy(base.score.weight)
        trainer, folder = self._trained(tmp_path, base, byte_tokenizer(), LORA)
        expected = _plainly(trainer.model, byte_tokenizer(), TEXTS)
        loaded = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels=1)
        if ending == "merged":
            loaded = loaded.merge_and_unload()
            assert (loaded.score.weight - head).abs().max() > 1e-3
        torch.testing.assert_close(
            _plainly(loaded, AutoTokenizer.from_pretrained(folder), TEXTS),
            expected,
            rtol=1e-4,
            atol=1e-5,
        )

    def test_an_adapted_policy(self, tmp_path):
        llama(7).save_pretrained(tmp_path / "base")
        base = type(llama()).from_pretrained(tmp_path / "base")
        trainer, folder = self._trained(tmp_path, base, byte_tokenizer(), LORA)
        loaded = AutoPeftModelForCausalLM.from_pretrained(folder)
        ids = torch.tensor([[5, 6, 7]])
        with torch.no_grad(), warnings.catch_warnings():
            torch.testing.assert_close(loaded(ids).logits, trainer.model.eval()(ids).logits)
