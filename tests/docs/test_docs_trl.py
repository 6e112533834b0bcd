"""What the page for users of TRL says, against the TRL that is installed."""

from __future__ import annotations

import copy
import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import encoders
import numpy as np
import pytest
import torch
from datasets import Dataset
from encoders import WORDS, save_causal
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainingArguments,
)

from surefoot.data.files import read_records
from surefoot.data.reading.account import lines_of
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.training import PreferenceConfig, PreferenceTrainer

trl = pytest.importorskip("trl")


def made(n: int) -> list[dict[str, str]]:
    rng = np.random.default_rng(0)

    def text(last: str) -> str:
        return " " + " ".join([*rng.choice(WORDS, rng.integers(3, 8)), last])

    return [
        {"prompt": text("question"), "chosen": text("good"), "rejected": text("bad")}
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small causal model in a folder, from where both trainers can load it."""
    place = save_causal(tmp_path_factory.mktemp("model"))
    encoders._tokenizer("$A").save_pretrained(place)  # neither trainer closes a text twice
    return place


@pytest.fixture(scope="module")
def page():
    return (Path(__file__).parents[2] / "docs" / "trl.md").read_text()


def moved(model):
    """The model after some training, as it were."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return other


def arguments(config, folder, **options):
    quiet = {"report_to": [], "disable_tqdm": True, "use_cpu": True}
    return config(output_dir=str(folder), **quiet, **options)


#: TRL's options, and the objective and beta that give the same loss.
SAME = {
    "sigmoid": ({"loss_type": "sigmoid", "beta": 0.3}, {}, 0.3),
    "hinge": ({"loss_type": "hinge", "beta": 0.3}, {"loss": "hinge"}, 0.3),
    "ipo": (
        {"loss_type": "ipo", "beta": 0.3},
        {"loss": {"kind": "squared", "tau": 0.3, "length_normalised": True}},
        1.0,
    ),
    "robust": (
        {"loss_type": "robust", "beta": 0.3, "label_smoothing": 0.2},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}},
        0.3,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_the_same_pairs_have_the_same_loss(folder, tmp_path, name):
    theirs, objective, beta = SAME[name]
    data = Dataset.from_list(made(12))
    reference = AutoModelForCausalLM.from_pretrained(folder)
    policy, tokenizer = moved(reference), AutoTokenizer.from_pretrained(folder)
    other = trl.DPOTrainer(
        model=copy.deepcopy(policy),
        ref_model=copy.deepcopy(reference),
        args=arguments(
            trl.DPOConfig, tmp_path, bf16=False, per_device_eval_batch_size=12, **theirs
        ),
        train_dataset=data,
        eval_dataset=data,
        processing_class=copy.deepcopy(tokenizer),
    )
    ours = PreferenceTrainer(
        model=reference,
        args=arguments(PreferenceConfig, tmp_path, beta=beta),
        train_dataset=data,
        eval_dataset=data,
        processing_class=tokenizer,
        objective=Objective(**objective),
    )
    ours.evaluate()  # with the model as given: it is the reference
    ours.model.load_state_dict(policy.state_dict())
    expected = other.evaluate()["eval_loss"]
    assert ours.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-4)
    plain = 0.6931 if name in ("sigmoid", "robust") else None
    assert expected != pytest.approx(plain, abs=1e-3)  # it did see a policy that has moved


@pytest.mark.slow
def test_the_centre_of_rewards_is_the_same_term(folder, tmp_path):
    torch.manual_seed(0)
    data = Dataset.from_list(made(8))
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    with torch.no_grad():
        model.score.weight.mul_(30)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = "[PAD]"
    common = {"max_steps": 1, "per_device_train_batch_size": 8, "logging_steps": 1, "seed": 1}
    losses = []
    for trainer, config, options, objective in (
        (trl.RewardTrainer, trl.RewardConfig, {"center_rewards_coefficient": 0.3}, {}),
        (trl.RewardTrainer, trl.RewardConfig, {}, {}),
        (
            PreferenceTrainer,
            PreferenceConfig,
            {},
            {"objective": Objective(regularisers=[{"kind": "reward-centring", "weight": 0.3}])},
        ),
    ):
        given = options | ({"bf16": False} if config is not PreferenceConfig else {})
        one = trainer(
            model=copy.deepcopy(model),
            args=arguments(config, tmp_path, save_strategy="no", **common, **given),
            train_dataset=data,
            processing_class=copy.deepcopy(tokenizer),
            **objective,
        )
        one.train()
        losses.append(next(log["loss"] for log in one.state.log_history if "loss" in log))
    centred, plain, ours = losses
    assert centred - plain > 0.01
    assert ours == pytest.approx(centred, rel=1e-4)


def test_every_option_and_loss_of_trl_is_on_the_page(page):
    named = {word for span in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", span)}
    inherited = {one.name for one in fields(TrainingArguments)}
    for config in (trl.DPOConfig, trl.RewardConfig):
        own = {one.name for one in fields(config)} - inherited
        assert own <= named, own - named
    (text,) = (f.metadata["help"] for f in fields(trl.DPOConfig) if f.name == "loss_type")
    losses = set(re.findall(r"`'(\w+)'`", text))
    assert len(losses) > 10
    assert losses <= named, losses - named
    assert "rpo_alpha" not in {one.name for one in fields(trl.DPOConfig)}


def test_every_column_of_trl_is_on_the_page(page):
    (table,) = re.findall(r"\| TRL's trainers take \|.*?\n\n", page, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", table))
    for trainer in (trl.DPOTrainer, trl.RewardTrainer):
        source = inspect.getsource(trainer._set_signature_columns_if_needed)
        columns = set(re.findall(r'"(\w+)"', source)) - {"input_ids", "attention_mask"}
        assert len(columns) > 2
        assert columns <= named, columns - named
    row = {"prompt": "On tea?", "chosen": "tea fine", "rejected": "tea bad"}
    unread = {"margin": 0.5, "ref_chosen_logps": -3.0, "ref_rejected_logps": -4.0}
    unread |= {key: [1] for key in ("prompt_ids", "chosen_ids", "rejected_ids")}
    read = read_records([row | unread | {"tools": [], "chat_template_kwargs": {"a": 1}}], "rows")
    said = " ".join(lines_of(read.readings, read.faults))
    assert all(name in said.partition("not read")[2] for name in unread), said
    assert list(read.read("template_arguments")) == [('{"a": 1}',)]


def test_every_name_of_ours_on_the_page_exists(page):
    for text in re.findall(r"`((?:loss|labels|regularisers)=.+?)`", page):
        given = eval(f"dict({text})", {"e": 0.1, "t": 0.3, "a": 0.2, "c": 0.01})
        Objective(**given)
    ours = {one.name for one in fields(PreferenceConfig)}
    assert {"scorer", "reference", "max_length", "max_tokens", "disable_dropout"} <= ours


@pytest.mark.slow
def test_both_scripts_run_on_the_same_data(page, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sft-model").symlink_to(folder)
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made(16)))
    scripts = dict(re.findall(r"<!-- trl: (\w+) -->\n```python\n(.*?)```", page, re.DOTALL))
    for name, script in scripts.items():
        if name == "before":  # as the page says: bfloat16 is forced, and there may be no GPU
            script = script.replace("beta=0.1", "beta=0.1, bf16=False, use_cpu=True")
        exec(compile(script, f"trl.md, {name}", "exec"), scope := {})
        assert scope["trainer"].state.global_step == 6
    for saved in ("dpo", "robust"):
        AutoModelForCausalLM.from_pretrained(tmp_path / saved)
    changed = [
        line for line in scripts["after"].splitlines() if line not in scripts["before"].splitlines()
    ]
    assert len(changed) <= 6


@pytest.mark.slow
def test_what_the_page_says_of_label_smoothing_and_flip_rates(folder, tmp_path):
    """TRL's, as they are: the page is to be changed when they are."""

    def losses(**options):
        trainer = trl.DPOTrainer(
            model=folder,
            args=arguments(
                trl.DPOConfig,
                tmp_path,
                bf16=False,
                learning_rate=1e-3,
                logging_steps=1,
                save_strategy="no",
                gradient_checkpointing=False,
                **options,
            ),
            train_dataset=Dataset.from_list(made(16)),
        )
        trainer.train()
        weights = torch.cat([weight.flatten() for weight in trainer.model.parameters()])
        logged = [log["loss"] for log in trainer.state.log_history if "loss" in log]
        return logged, bool(weights.isfinite().all())

    assert losses(label_smoothing=0.3) == losses()
    assert losses(loss_type="robust", label_smoothing=0.5) == ([0.0] * 6, False)
    assert losses(beta=-0.1)[1]  # a negative beta is taken
    with pytest.raises(ConfigurationError, match="positive"):
        PreferenceConfig(output_dir=str(tmp_path), beta=-0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_trl_wants_bfloat16_without_a_gpu(tmp_path):
    with pytest.raises(ValueError, match="bf16"):
        trl.DPOConfig(output_dir=str(tmp_path))


@pytest.mark.slow
def test_the_reference_of_trl_is_read_again(folder, tmp_path):
    edited = moved(AutoModelForCausalLM.from_pretrained(folder))
    trainer = trl.DPOTrainer(
        model=edited,
        args=arguments(trl.DPOConfig, tmp_path, bf16=False),
        train_dataset=Dataset.from_list(made(4)),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    both = zip(edited.parameters(), trainer.ref_model.parameters(), strict=True)
    assert max(float((one - other).detach().abs().max()) for one, other in both) > 0.1
