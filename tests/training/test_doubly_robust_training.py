"""DRPO's trainer: its gradient, its draws, what it learns, and what it says."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from doubly_robust import Shorter, doubly_robust_trainer
from language_models import byte_tokenizer, llama, llama_reward, pairs, save
from typer.testing import CliRunner

from surefoot.cli.app import app
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.objectives.doubly_robust import credits
from surefoot.scorers import load_scorer
from surefoot.training import RunConfig, train
from surefoot.training.language.preference_config import PreferenceConfig

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def make(tmp_path):
    """A trainer of a small policy on 8 pairs."""

    def one(objective=None, auxiliary=None, data=None, model=None, **options):
        options = {
            "output_dir": str(tmp_path / "run"),
            "use_cpu": True,
            "disable_tqdm": True,
            "save_strategy": "no",
            "logging_steps": 1,
            "per_device_train_batch_size": 8,
            "max_steps": 1,
            "learning_rate": 0.1,
            "optim": "sgd",
            "lr_scheduler_type": "constant",
            "max_grad_norm": 1e6,
            "beta": 0.3,
        } | options
        return doubly_robust_trainer(
            model=model or llama(),
            args=PreferenceConfig(**options),
            train_dataset=data or pairs(8, label=[1.0, 0.0, 0.7, 0.5], weight=[1.0, 2.0]),
            processing_class=byte_tokenizer(),
            objective=objective,
            auxiliary=auxiliary,
        )

    return one


def _change(trainer):
    before = {k: v.detach().clone() for k, v in trainer.model.named_parameters()}
    trainer.train()
    return {k: v.detach() - before[k] for k, v in trainer.model.named_parameters()}


def _plain_log_prob(model, prompt, response):
    """Of one sequence, without padding, packing or a hook."""
    logits = model(torch.tensor([prompt + response])).logits[0].log_softmax(-1)
    places = torch.arange(len(prompt) - 1, len(prompt) + len(response) - 1)
    return logits[places, torch.tensor(response)].sum()


def _rows(end):
    """Pairs whose prompts end so; what does not end in space is joined to responses by a gap."""
    made = pairs(8, label=[1.0, 0.0, 0.7, 0.5], weight=[1.0, 2.0])
    return [{**row, "prompt": row["prompt"] + end} for row in made]


@pytest.mark.parametrize(
    ("reference", "end"), [("cached", "\n"), ("live", "\n"), ("cached", ""), ("live", "")]
)
def test_the_step_is_that_of_the_equation(make, reference, end):
    """SGD of one step against credits and log-probabilities that are computed one by one."""
    reference_model = llama(5)
    trainer = make(
        {"clip": [0.2, 3.0]},
        data=_rows(end),
        reference=reference,
        model=copy.deepcopy(reference_model),
    )
    policy = llama(1)  # elsewhere than the reference, so that ratios and the KL matter
    trainer.model.load_state_dict(policy.state_dict())
    if reference == "cached":
        trainer.model.load_state_dict(reference_model.state_dict())
        trainer._know_reference(trainer.pairs)
        trainer.model.load_state_dict(policy.state_dict())
    rows = next(iter(trainer.get_train_dataloader()))
    drawn = trainer.writer.draw(policy, rows, (trainer.args.seed, 0), trainer.engine)
    found = _change(trainer)

    records, weight = trainer.pairs.preferences, trainer.pairs.mass[rows]
    total = torch.zeros(())
    for place, row in enumerate(rows.tolist()):
        ((prompt, a, b),) = trainer.pairs.tokens.read(np.array([row]))
        opening, samples = drawn.openings[place], drawn.responses[place]
        texts = drawn.texts[place]
        assert prompt == opening  # the gap is part of it
        ours, theirs = (
            [_plain_log_prob(m, opening, response) for response in (a, b, *samples)]
            for m in (policy, reference_model)
        )
        change = (torch.stack(ours) - torch.stack(theirs)).detach().double()
        one = records.dataset[row]
        sides = [len(one[f"response_{s}"][0]["content"]) for s in "ab"]
        judged = [[1 / (1 + np.exp(0.1 * (len(t) - n))) for n in sides] for t in texts]
        mine = credits(
            torch.tensor([one["label"]]).double(),
            torch.tensor([1 / (1 + np.exp(0.1 * (sides[0] - sides[1])))]).double(),
            torch.tensor([judged]).double(),
            change[None, :2],
            change[None, 2:],
            0.3,
            (0.2, 3.0),
        )
        credit = torch.cat([mine.data[0], mine.samples[0]]) * weight[place] / weight.sum()
        total = total + sum(c * p for c, p in zip(credit, ours, strict=True))
    policy.zero_grad()
    total.backward()
    for name, parameter in policy.named_parameters():
        scale = float(parameter.grad.abs().max())
        torch.testing.assert_close(
            found[name], 0.1 * parameter.grad.float(), rtol=1e-3, atol=1e-5 * max(scale, 1)
        )


@pytest.mark.parametrize(
    "cut",
    [
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 8},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4},
        {"max_tokens": 50},
    ],
    ids=str,
)
def test_every_cut_of_a_step_is_the_same(make, cut):
    whole, parts = _change(make()), _change(make(**cut))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=1e-5)


def test_draws_depend_on_seed_and_step_and_on_nothing_before(make):
    trainer = make()
    rows = np.arange(8)

    def texts(*seed):
        return trainer.writer.draw(trainer.model, rows, seed, trainer.engine).texts

    first = texts(0, 0)
    torch.manual_seed(99)
    torch.rand(3)
    before = torch.random.get_rng_state()
    assert texts(0, 0) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert texts(0, 1) != first != texts(1, 0)
    assert len({text for one in first for text in one}) > 24  # of 32: samples are not copies


@pytest.mark.slow
def test_it_learns_what_the_auxiliary_model_likes(make):
    def ends(beta):
        trainer = make(
            data=pairs(16, auxiliary=[0.5], label=[0.5]),
            auxiliary=Shorter(0.3),
            objective={"batch": 64},
            max_steps=40,
            optim="adamw_torch",
            learning_rate=3e-3,
            max_grad_norm=1.0,
            per_device_train_batch_size=16,
            beta=beta,
        )
        trainer.train()
        logs = [log for log in trainer.state.log_history if "value" in log]
        return logs[0], logs[-1]

    (first, free), (_, held) = ends(0.001), ends(3.0)
    assert first["direct"] < 0.75
    assert free["direct"] > 0.9
    assert free["sampled_kl"] > 5
    assert held["direct"] < 0.75
    assert held["sampled_kl"] < 0.2 * free["sampled_kl"]


def test_labels_correct_an_indifferent_auxiliary_model(make):
    """Where it says 1/2 everywhere, samples teach nothing, and the labels are all there is."""
    trainer = make(
        data=pairs(16, auxiliary=[0.5]), auxiliary=Shorter(0.0), max_steps=15,
        optim="adamw_torch", learning_rate=1e-3, beta=0.001, per_device_train_batch_size=16,
    )  # fmt: skip
    trainer.train()
    logs = [log for log in trainer.state.log_history if "value" in log]
    assert all(log["direct"] == pytest.approx(0.5) for log in logs)
    assert logs[0]["correction"] == pytest.approx(0, abs=1e-5)
    assert logs[-1]["correction"] > 0.05
    assert logs[-1]["accuracy"] > 0.9


def test_the_first_step_is_at_the_reference(make):
    trainer = make()
    trainer.train()
    log = trainer.state.log_history[0]
    assert log["sampled_kl"] == pytest.approx(0, abs=1e-5)
    assert log["effective_share"] == pytest.approx(1, abs=1e-4)
    assert log["correction"] == pytest.approx(0, abs=1e-5)
    assert log["loss"] == pytest.approx(-log["direct"], abs=1e-4)
    assert "kl" not in log


def test_prompts_that_leave_no_room_lose_their_start(make):
    with pytest.warns(UserWarning, match=r"the samples of 7 of 8 prompts are written without"):
        trainer = make({"max_new_tokens": 246})
    longest = max(map(len, trainer.writer.openings))
    assert longest == 10
    assert all(ids[0] == trainer.processing_class.bos_token_id for ids in trainer.writer.openings)
    assert np.isfinite([float(change.abs().max()) for change in _change(trainer).values()]).all()


class Broken(Shorter):
    def probabilities(self, preferences):
        found = super().probabilities(preferences)
        found[-1] = np.nan
        return found


def test_what_cannot_be_used_is_told(make):
    with pytest.raises(ConfigurationError, match=r"\(300\) leaves no room for a prompt in 256"):
        make({"max_new_tokens": 300})
    with pytest.raises(DataError, match="'auxiliary' is null in 4 of 8 rows"):
        make(data=pairs(8, auxiliary=[0.5, None]))
    with pytest.raises(ConfigurationError, match=r"disable_dropout=False is refused with"):
        make(disable_dropout=False)
    with pytest.raises(ConfigurationError, match="trains policies"):
        make(model=llama_reward())
    trainer = make(data=pairs(8, auxiliary=[0.5]), auxiliary=Broken())
    with pytest.raises(SurefootError, match=r"auxiliary model's probability of '.*' is not finite"):
        trainer.train()


def test_processes_without_work_are_told(make):
    writer, engine = make().writer, make().engine  # 2 prompts in a batch
    assert writer.notes(8, replace(engine, ranks=4)) == []
    assert writer.notes(1, replace(engine, ranks=4)) == []
    (told,) = writer.notes(8, replace(engine, ranks=6))
    assert "2 of 6 processes have nothing to do" in told
    assert "in 4 batches" in told
    assert "objective.batch to 4." in told


def test_too_many_responses_at_a_time_are_told(make, monkeypatch):
    trainer = make()

    def full(*given, **inputs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot.")

    monkeypatch.setattr(trainer.model, "generate", full)
    with pytest.raises(
        SurefootError, match=r"8 responses written at a time: lower objective\.batch"
    ):
        trainer.train()


@pytest.mark.parametrize(
    ("scorer", "objective", "message"),
    [
        ({}, {"clip": [0.5, 0.9]}, "clip is [low, high] with 0 <= low < 1 < high"),
        ({}, {"samples": 3}, "samples of the objective 'doubly-robust' should be a multiple of 2"),
        ({}, {"sample": 2}, "did you mean 'samples'"),
        ({}, {"risk": "cvar"}, "'risk': that is an option of the objective"),
        (
            {},
            {"kind": "doubly"},
            "unknown kind of objective 'doubly': did you mean 'doubly-robust'",
        ),
        ({"kind": "embedding"}, {}, "trains policies; scorer 'embedding' writes nothing"),
    ],
)
def test_wrong_options_are_errors(scorer, objective, message):
    given = {"kind": "doubly-robust", "auxiliary": "runs/aux"} | objective
    with pytest.raises(ConfigurationError) as error:
        RunConfig(
            data={"train": "x"},
            scorer=scorer or {"kind": "policy", "model": "m"},
            objective=given,
            output="out",
        )
    assert message in str(error.value)


def test_its_name_alone_asks_for_the_auxiliary_model():
    given = {"data": {"train": "x"}, "scorer": {"kind": "policy", "model": "m"}, "output": "out"}
    with pytest.raises(ConfigurationError, match="'doubly-robust' needs the option 'auxiliary'"):
        RunConfig(**given, objective="doubly-robust")
    with pytest.raises(ConfigurationError, match="did you mean 'doubly-robust'"):
        RunConfig(**given, objective="doubly-robus")


@pytest.fixture
def auxiliary_run(configure, tmp_path):
    """A reward model's run on other prompts, as the auxiliary model."""
    base = save(tmp_path / "reward", llama_reward(), byte_tokenizer())
    elsewhere = tmp_path / "elsewhere.jsonl"
    rows = [{**row, "prompt": f"other {row['prompt']}"} for row in pairs(16, seed=5)]
    elsewhere.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scorer = {"kind": "reward-model", "model": base}
    config = configure(scorer, {"max_steps": 1}, "auxiliary", data={"train": str(elsewhere)})
    train(config)
    return config.output


@pytest.mark.parametrize("adapter", [None, {"rank": 2}], ids=["full", "adapter"])
def test_a_run_from_the_command_line(configure, policy, auxiliary_run, tmp_path, adapter):
    config = configure(
        {"kind": "policy", "model": policy, "adapter": adapter},
        objective={"kind": "doubly-robust", "auxiliary": auxiliary_run, "max_new_tokens": 8},
    )
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    told = CliRunner().invoke(app, ["train", str(path)], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    said = " ".join(told.output.split())
    assert f"value less beta KL (DRPO): 4 samples of each prompt, judged by {auxiliary_run}" in said
    assert "were trained" not in said
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    log = manifest["figures"]["log"][0]
    assert {
        "value",
        "direct",
        "correction",
        "sampled_kl",
        "effective_share",
        "finished",
    } <= log.keys()
    again = RunConfig.read(tmp_path / "run" / "config.yaml")
    assert again == config
    scorer = load_scorer(tmp_path / "run")
    from surefoot.data import read_preferences

    assert np.isfinite(scorer.rewards(read_preferences([str(tmp_path / "pairs.jsonl")]))).all()
    card = (tmp_path / "run" / "README.md").read_text()
    assert "DRPO" in card


def test_an_auxiliary_model_that_saw_the_labels_is_warned_of(configure, policy, tmp_path):
    base = save(tmp_path / "reward", llama_reward(), byte_tokenizer())
    first = configure({"kind": "reward-model", "model": base}, {"max_steps": 1}, "auxiliary")
    train(first)
    config = configure(
        {"kind": "policy", "model": policy},
        {"max_steps": 1},
        objective={"kind": "doubly-robust", "auxiliary": first.output, "max_new_tokens": 4},
    )
    told: list[str] = []
    train(config, say=told.append)
    assert any("was trained on 18 of these prompts" in line for line in told), told


def test_a_checkpoint_of_another_objective_is_not_resumed(make, tmp_path):
    make(save_strategy="steps", save_steps=1, max_steps=2).train()
    place = str(tmp_path / "run" / "checkpoint-1")
    with pytest.raises(ConfigurationError, match="samples was 4 and is 2"):
        make({"samples": 2}, max_steps=2).train(resume_from_checkpoint=place)


def test_a_checkpoint_of_another_auxiliary_model_is_not_resumed(make, tmp_path):
    auxiliary = tmp_path / "auxiliary"
    auxiliary.mkdir()
    (auxiliary / "surefoot.json").write_text("one")
    make({"auxiliary": str(auxiliary)}, save_strategy="steps", save_steps=1).train()
    (auxiliary / "surefoot.json").write_text("another")
    again = make({"auxiliary": str(auxiliary)}, save_strategy="steps", save_steps=1)
    with pytest.raises(ConfigurationError, match="what the auxiliary run says of itself was"):
        again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-1"))


class TestTheLawThatIsSampled:
    """A policy whose first token is the end with probability .94, beside one that hardly ends."""

    END, SHARE = byte_tokenizer().eos_token_id, 0.94

    def _ending(self, model, opening: list[int]):
        """The model with a bias on the end token's logit, of .94 behind this opening."""
        with torch.no_grad():
            logits = model(torch.tensor([opening])).logits[0, -1]
        others = torch.cat([logits[: self.END], logits[self.END + 1 :]]).logsumexp(0)
        bias = float(np.log(self.SHARE / (1 - self.SHARE)) + others - logits[self.END])

        def raise_end(module, inputs, output):
            output = output.clone()
            output[..., self.END] += bias
            return output

        model.lm_head.register_forward_hook(raise_end)
        return model

    @pytest.fixture
    def trainer(self, make):
        row = {"prompt": "Say it.\n", "chosen": "yes", "rejected": "no"}
        rows = [row | {"chosen": f"yes {k}"} for k in range(8)]
        found = make({"samples": 64, "max_new_tokens": 1, "batch": 512}, data=rows)
        self._ending(found.model, found.writer.openings[0].tolist())
        return found

    def test_it_is_the_law_whose_probability_is_taken(self, trainer):
        rows = np.arange(8)
        drawn = trainer.writer.draw(trainer.model, rows, (0, 0), trainer.engine)
        written = [ids for one in drawn.responses for ids in one]
        empty = np.mean([ids == [self.END] for ids in written])
        assert empty == pytest.approx(self.SHARE, abs=4 * np.sqrt(0.94 * 0.06 / 512))
        assert {t for one in drawn.texts for t in one} >= {""}
        opening = trainer.writer.openings[0].tolist()
        with torch.no_grad():
            ours = trainer.model(torch.tensor([opening])).logits[0, -1].log_softmax(0).double()
        special = [trainer.processing_class.pad_token_id, trainer.processing_class.bos_token_id]
        assert float(ours[special].exp().min()) > 0  # and nothing keeps them out
        counts = np.bincount([ids[0] for ids in written], minlength=len(ours))
        expected = 512 * ours.exp().numpy()
        cells = np.array([[v[self.END], v[:200].sum(), v[200:].sum()] for v in (counts, expected)])
        cells[:, 1] -= cells[:, 0]  # the end is among the first 200
        assert ((cells[0] - cells[1]) ** 2 / cells[1]).sum() < 14  # chi-squared, 2 degrees: .999

    def test_its_kl_sees_a_collapse_to_empty_answers(self, trainer):
        """The step's own figure, beside the exact KL of one token."""
        opening = torch.tensor([trainer.writer.openings[0].tolist()])
        with torch.no_grad():
            ours, theirs = (
                one(opening).logits[0, -1].double().log_softmax(0)
                for one in (trainer.model, trainer.live.model)
            )
        exact = float((ours.exp() * (ours - theirs)).sum())
        spread = float((ours.exp() * (ours - theirs - exact).square()).sum().sqrt())
        trainer.train()
        (log,) = [row for row in trainer.state.log_history if "sampled_kl" in row]
        assert exact > 4
        assert log["sampled_kl"] == pytest.approx(exact, abs=4 * spread / np.sqrt(512))
