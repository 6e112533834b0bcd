"""Models that surefoot did not train: adapters of other trainers, missing heads, precision."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from language_models import byte_tokenizer, llama, llama_reward, pairs, save
from peft import AutoPeftModelForSequenceClassification, LoraConfig, get_peft_model

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.scorers import LanguageModel, RewardModelScorer, load_scorer
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.scores import log_probs
from surefoot.scorers.storage import write_description

pytestmark = pytest.mark.filterwarnings("ignore")
_Q = {"target_modules": ["q_proj", "v_proj"]}


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    monkeypatch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: False)


@pytest.fixture
def rows():
    return Preferences.from_rows(pairs(6))


def _trl(kind):
    trl = pytest.importorskip("trl", reason="the folders are TRL's")
    if kind == "policy":
        return trl.DPOTrainer, trl.DPOConfig
    return trl.RewardTrainer, trl.RewardConfig


@pytest.mark.parametrize("kind", ["policy", "reward-model"])
def test_an_adapter_that_trl_saved(tmp_path, rows, kind):
    """The base is resolved, and a policy is held to what lies below its adapter."""
    trainer_class, config = _trl(kind)
    build = llama if kind == "policy" else llama_reward
    place = save(tmp_path / "base", build(pad_token_id=2), byte_tokenizer())
    task = "CAUSAL_LM" if kind == "policy" else "SEQ_CLS"
    lora = LoraConfig(**_Q, task_type=task, modules_to_save=None if kind == "policy" else ["score"])
    names = ("prompt", "chosen", "rejected")
    data = [
        dict(zip(names, (r["prompt"], r["response_a"], r["response_b"]), strict=True))
        for r in pairs(8)
    ]
    args = config(
        str(tmp_path / "adapter"),
        **{"bf16": False, "use_cpu": True, "gradient_checkpointing": False, "report_to": "none"},
        **{"learning_rate": 0.01, "max_steps": 3, "save_strategy": "no"},
    )
    model = type(build()).from_pretrained(place)
    trainer = trainer_class(
        model,
        args=args,
        train_dataset=Dataset.from_list(data),
        processing_class=byte_tokenizer(),
        peft_config=lora,
    )
    trainer.train()
    trainer.save_model()
    found = load_scorer(tmp_path / "adapter")
    tokens = found.tokens_of(rows).read(np.arange(6))
    assert found.foreign
    if kind == "reward-model":
        plain = AutoPeftModelForSequenceClassification.from_pretrained(
            tmp_path / "adapter", num_labels=1
        ).eval()
        with torch.no_grad():
            expected = [
                [float(plain(input_ids=torch.tensor([p + r])).logits) for r in both]
                for p, *both in tokens
            ]
        np.testing.assert_allclose(found.raw_scores(rows), expected, atol=1e-5)
        return
    with torch.no_grad():
        batch = lay_out(tokens, 2)
        above, below = (log_probs(m.eval(), batch) for m in (trainer.model, build()))
    expected = 0.1 * (above - below).numpy()
    assert np.abs(expected).min() > 1e-5
    np.testing.assert_allclose(found.raw_scores(rows), expected, atol=1e-5)


def test_a_base_that_the_adapter_has_changed_is_read_again(tmp_path, rows):
    """Biases are loaded into the base: what lies below is no longer the reference."""
    base = llama(attention_bias=True)
    place = save(tmp_path / "base", base, byte_tokenizer())
    made = get_peft_model(
        type(base).from_pretrained(place), LoraConfig(**_Q, bias="all", task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for name, one in made.named_parameters():
            if name.endswith("bias"):
                one += 0.5
    made.save_pretrained(tmp_path / "adapter")
    found = load_scorer(tmp_path / "adapter")  # with the base's tokenizer
    with torch.no_grad():
        batch = lay_out(found.tokens_of(rows).read(np.arange(6)), 2)
        expected = 0.1 * (
            log_probs(made.eval(), batch) - log_probs(llama(attention_bias=True), batch)
        )
    np.testing.assert_allclose(found.raw_scores(rows), expected.numpy(), atol=1e-5)
    assert float(expected.abs().min()) > 1e-3


class TestRefused:
    def _adapter(self, folder, base, task, **lora):
        get_peft_model(base, LoraConfig(**_Q, task_type=task, **lora)).save_pretrained(folder)

    def test_a_base_that_is_gone(self, tmp_path):
        place = save(tmp_path / "base", llama(), byte_tokenizer())
        self._adapter(tmp_path / "adapter", type(llama()).from_pretrained(place), "CAUSAL_LM")
        (tmp_path / "base").rename(tmp_path / "moved")
        with pytest.raises(ConfigurationError, match=r"the base of the adapter .*base_model_name"):
            load_scorer(tmp_path / "adapter")
        config = tmp_path / "adapter" / "adapter_config.json"
        content = json.loads(config.read_text()) | {"base_model_name_or_path": "../moved"}
        config.write_text(json.dumps(content))
        assert load_scorer(tmp_path / "adapter").scorer.model_kind == "policy"

    def test_one_that_names_no_base(self, tmp_path):
        self._adapter(tmp_path, llama(), "CAUSAL_LM")
        with pytest.raises(ConfigurationError, match="names no base"):
            load_scorer(tmp_path)

    @pytest.mark.parametrize("saved", [False, True])
    def test_a_head_that_nobody_saved(self, tmp_path, rows, saved):
        place = save(tmp_path / "base", llama(), byte_tokenizer())
        base = type(llama_reward()).from_pretrained(place, num_labels=1)
        head = ["score"] if saved else []
        self._adapter(tmp_path / "adapter", base, "SEQ_CLS", modules_to_save=head)
        if not saved:  # PEFT itself saves it for this task: take it out
            path = tmp_path / "adapter" / "adapter_model.safetensors"
            from safetensors.torch import load_file, save_file

            save_file({k: v for k, v in load_file(path).items() if "score" not in k}, path)
            with pytest.raises(ConfigurationError, match=r"it has no score\.weight, which would"):
                load_scorer(tmp_path / "adapter")
            return
        assert np.isfinite(load_scorer(tmp_path / "adapter").raw_scores(rows)).all()

    def test_a_whole_model_without_its_head(self, tmp_path):
        place = save(tmp_path, llama_reward(), byte_tokenizer())
        from safetensors.torch import load_file, save_file

        path = tmp_path / "model.safetensors"
        kept = {k: v for k, v in load_file(path).items() if "score" not in k}
        save_file(kept, path, metadata={"format": "pt"})
        with pytest.raises(ConfigurationError, match="no trained reward model: it has no score"):
            load_scorer(place)

    @pytest.mark.parametrize("adapted", [False, True])
    def test_a_run_of_ours_that_has_lost_its_head(self, tmp_path, rows, adapted):
        """A folder that was copied in part, or written to: not a head drawn anew."""
        from safetensors.torch import load_file, save_file

        place = save(tmp_path / "base", llama(), byte_tokenizer())
        model, adapter = type(llama_reward()).from_pretrained(place, num_labels=1), None
        if adapted:
            model = get_peft_model(model, LoraConfig(**_Q, task_type="SEQ_CLS"))
            adapter = {"targets": ("q_proj", "v_proj")}
        run = tmp_path / "run"
        save(run, model, byte_tokenizer())
        scorer = RewardModelScorer(model=place, adapter=adapter, precision="float32")
        ours = LanguageModel(scorer, prepare_model(model, byte_tokenizer()))
        write_description(run, ours.description(Objective(), 0))
        np.testing.assert_allclose(
            load_scorer(run).raw_scores(rows), ours.raw_scores(rows), atol=1e-5
        )
        path = run / ("adapter_model.safetensors" if adapted else "model.safetensors")
        if adapted:
            whole = load_file(path)
            part = {k: v for k, v in whole.items() if "layers.1.self_attn.q_proj" not in k}
            save_file(part, path, metadata={"format": "pt"})
            with pytest.raises(ConfigurationError, match=r"missing adapter keys.*layers\.1"):
                load_scorer(run)
            save_file(whole, path, metadata={"format": "pt"})
        kept = {k: v for k, v in load_file(path).items() if "score" not in k}
        save_file(kept, path, metadata={"format": "pt"})
        with pytest.raises(ConfigurationError, match=r"it has no score\.weight, which would"):
            load_scorer(run)

    def test_a_folder_of_nothing(self, tmp_path):
        with pytest.raises(ConfigurationError, match="and no adapter"):
            load_scorer(tmp_path)


class TestPrecision:
    """`--precision`, and what is told of a model of another origin."""

    def test_passes_are_in_what_was_asked_for(self, tmp_path, rows, monkeypatch):
        monkeypatch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: True)
        place = save(tmp_path, llama_reward(), byte_tokenizer())
        whole, half, auto = (
            load_scorer(place, precision=p).raw_scores(rows)
            for p in ("float32", "bfloat16", "auto")
        )
        np.testing.assert_array_equal(half, auto)
        assert np.abs(whole - half).max() > 1e-4
        np.testing.assert_allclose(whole, half, atol=0.1)

    def test_one_that_does_not_exist_is_refused(self, tmp_path):
        place = save(tmp_path, llama_reward(), byte_tokenizer())
        with pytest.raises(ConfigurationError, match=r"precision.*float32.*float16"):
            load_scorer(place, precision="float16")

    @pytest.mark.parametrize("command", ["score", "evaluate"])
    def test_the_commands_have_it_and_say_what_is_in_force(
        self, tmp_path, capsys, monkeypatch, command
    ):
        monkeypatch.setattr("surefoot.scorers.language.options.has_bfloat16", lambda: True)
        place = save(tmp_path / "model", llama_reward(), byte_tokenizer())
        data = tmp_path / "pairs.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in pairs(24)))

        def told(*options):
            out = tmp_path / f"out-{len(options)}"
            app([command, place, str(data), "--output", str(out), *options], standalone_mode=False)
            return " ".join(capsys.readouterr().err.split())

        assert "passes in bfloat16 (chosen for this processor), three digits" in told()
        assert "weights in float32, passes in float32." in told("--precision", "float32")


@pytest.mark.parametrize("kind", ["policy", "reward-model"])
def test_a_run_with_an_adapter_on_a_half_precision_base_in_float32(
    tmp_path, rows, kind, monkeypatch
):
    """Its frozen weights keep their values: another precision is no other model."""
    from surefoot.training import RunConfig, train

    build = llama if kind == "policy" else llama_reward
    place = save(tmp_path / "base", build(), byte_tokenizer())
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(12)))
    train(
        RunConfig(
            data={"train": str(data)},
            scorer={"kind": kind, "model": place, "precision": "bfloat16", "adapter": {"rank": 2}},
            training={"max_steps": 2, "pairs_per_step": 8, "learning_rate": 0.01},
            output=str(tmp_path / "run"),
        )
    )
    half = load_scorer(tmp_path / "run")
    whole = load_scorer(tmp_path / "run", precision="float32")
    assert {p.dtype for p in whole.prepared.model.parameters()} == {torch.float32}
    assert torch.bfloat16 in {p.dtype for p in half.prepared.model.parameters()}
    off = np.abs(half.rewards(rows) - whole.rewards(rows))
    assert 0 < off.max() < 0.3
    again = load_scorer(tmp_path / "run", precision="bfloat16").rewards(rows)
    np.testing.assert_array_equal(again, half.rewards(rows))
