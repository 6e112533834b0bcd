"""What a run shows: monitors by hand, evaluation, events; and the data that it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from language_models import CHAT, bert_reward, bert_tokenizer, byte_tokenizer, llama_reward, pairs

from surefoot.errors import CompositionError, ConfigurationError, DataError
from surefoot.objectives import Outputs, RiskValue
from surefoot.training.language.monitors import Monitors, figures_of
from surefoot.training.language.step import StepResult

pytestmark = pytest.mark.filterwarnings("ignore")


def _outputs(scores, lengths, log_probs=None):
    return Outputs(
        torch.tensor(scores, dtype=torch.float64), log_probs, torch.tensor(lengths).double()
    )


def _logged(trainer, name):
    return [row[name] for row in trainer.state.log_history if "loss" in row]


class TestFigures:
    SCORES = ((2.0, 1.0), (0.0, 3.0), (1.0, 1.0), (5.0, 4.0), (-1.0, 2.0))
    LENGTHS = ((10, 5), (7, 9), (3, 3), (20, 8), (6, 1))
    LABEL = torch.tensor([1.0, 0.0, 0.8, 0.5, 0.9])  # right, right, tied, undecided, wrong

    def test_by_hand(self):
        found = figures_of(_outputs(self.SCORES, self.LENGTHS), self.LABEL)
        assert found["accuracy"] == pytest.approx((1 + 1 + 0.5 + 0) / 4)
        assert found["margin"] == pytest.approx((1 + 3 + 0 - 3) / 4)
        assert found["chosen_score"] == pytest.approx((2 + 3 + 1 - 1) / 4)
        assert found["rejected_score"] == pytest.approx((1 + 0 + 1 + 2) / 4)
        assert found["chosen_tokens"] == pytest.approx((10 + 9 + 3 + 6) / 4)
        assert found["rejected_tokens"] == pytest.approx((5 + 7 + 3 + 1) / 4)
        margins, lengths = (np.subtract(*np.array(x).T) for x in (self.SCORES, self.LENGTHS))
        expected = np.corrcoef(margins, lengths)[0, 1]
        assert found["length_correlation"] == pytest.approx(expected)
        assert "kl" not in found

    def test_of_a_policy(self):
        found = figures_of(_outputs(self.SCORES, self.LENGTHS), self.LABEL, beta=0.5)
        assert found["chosen_change"] == pytest.approx(2 * found["chosen_score"])
        assert found["rejected_change"] == pytest.approx(2 * found["rejected_score"])
        assert found["kl"] == pytest.approx(-2 * np.mean(self.SCORES))

    def test_what_has_no_value_is_left_out(self):
        found = figures_of(_outputs([[1.0, 2.0]], [[3, 3]]), torch.tensor([0.5]))
        assert found == {}

    def test_means_over_the_steps_that_have_the_figure(self):
        monitors = Monitors()
        for label, weights in ((1.0, [0.5, 0.5]), (0.5, [1.0, 0.0])):
            outputs = _outputs([[1.0, 0.0], [4.0, 2.0]], [[2, 1], [5, 1]])
            weights = torch.tensor(weights)
            found = RiskValue(torch.tensor(0.0), weights, weights, weights, weights)
            result = StepResult(0.0, found, torch.tensor([1.0, 3.0]), outputs)
            monitors.add(result, torch.tensor([label, label]), None)
        found = monitors.take()
        assert found["margin"] == 1.5  # of the first step alone
        assert found["effective_pairs"] == 1.5
        assert found["largest_weight"] == 0.75
        assert found["mean_loss"] == 2
        assert monitors.take() == {}


class TestWhileTraining:
    def test_effective_pairs(self, trained):
        whole = trained()
        assert _logged(whole, "effective_pairs") == [4.0, 4.0, 4.0]
        assert _logged(whole, "loss") == pytest.approx(_logged(whole, "mean_loss"), rel=1e-5)
        some = trained(objective={"risk": {"kind": "cvar", "level": 0.5}}, learning_rate=5e-3)
        # All losses are equal before the first step.
        assert _logged(some, "effective_pairs") == pytest.approx([4.0, 2.0, 2.0])
        assert _logged(some, "loss")[-1] > _logged(some, "mean_loss")[-1]

    def test_the_likelihood_term_raises_what_was_preferred(self, trained):
        """Also where the two responses share most of their tokens."""
        shared = "it is more or less the very long answer because "
        rows = pairs(12)
        for row in rows:
            for side in ("response_a", "response_b"):
                row[side] = shared + row[side].split()[0]
        plain, held = (
            trained(
                data=rows,
                objective={"regularisers": regularisers},
                learning_rate=3e-3,
                num_train_epochs=6,
                beta=0.5,
            ).state.log_history[-2]
            for regularisers in ([], [{"kind": "chosen-likelihood", "weight": 1.0}])
        )
        assert held["chosen_change"] > plain["chosen_change"] + 1
        assert held["kl"] < plain["kl"]
        assert plain["accuracy"] == 1

    def test_weights_of_the_data_are_mass(self, trained, weights):
        rows = pairs(4)
        heavy = [row | {"weight": 3.0 if i == 2 else 1.0} for i, row in enumerate(rows)]
        options = {"optim": "sgd", "learning_rate": 0.1, "per_device_train_batch_size": 8}
        for risk in ("mean", {"kind": "kl-penalised", "temperature": 0.3}):
            ends = [
                weights(trained(data=data, objective={"risk": risk}, **options).model)
                for data in (heavy, [*rows, rows[2], rows[2]], rows)
            ]
            torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-6)
            assert (ends[0] - ends[2]).abs().max() > 1e-4

    def test_events(self, trained, tmp_path, monkeypatch):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
        trainer = trained(report_to="tensorboard")
        events = EventAccumulator(str(tmp_path / "events"))
        events.Reload()
        for name in ("loss", "accuracy", "effective_pairs", "chosen_change", "kl"):
            written = [event.value for event in events.Scalars(f"train/{name}")]
            assert written == pytest.approx(_logged(trainer, name), rel=1e-5)

    @pytest.mark.parametrize("size", [(4, 1), (1, 4), (2, 2)])
    def test_accumulation_changes_no_number(self, trained, size):
        pairs_at_once, accumulated = size
        trainer = trained(
            per_device_train_batch_size=pairs_at_once,
            gradient_accumulation_steps=accumulated,
            objective={"risk": "cvar"},
        )
        whole = trained(objective={"risk": "cvar"})
        assert trainer.state.global_step == 3
        assert _logged(trainer, "loss") == pytest.approx(_logged(whole, "loss"), rel=1e-5)
        assert _logged(trainer, "grad_norm") == pytest.approx(_logged(whole, "grad_norm"), rel=1e-4)


class TestEvaluation:
    @pytest.mark.parametrize("risk", ["mean", "cvar"])
    def test_over_all_of_it_at_once(self, trained, risk):
        held_out = pairs(9, seed=8, weight=[1.0, 2.0])
        trainer = trained(
            llama_reward(), eval_data=held_out, objective={
                "risk": risk, "regularisers": [{"kind": "reward-centring", "weight": 0.1}]
            },
        )  # fmt: skip
        found = trainer.evaluate()
        made = trainer.eval_pairs[""]
        batch = trainer.engine.batch(made.tokens, np.arange(9))
        with torch.no_grad():
            scores = trainer.score.of_model(trainer.model.eval(), batch).double()
        margins = scores[:, 0] - scores[:, 1]
        label = torch.tensor([row["label"] for row in held_out]).double()
        losses = torch.nn.functional.softplus(margins * (1 - 2 * label)).numpy()
        mass = np.array([row["weight"] for row in held_out])
        mass = mass / mass.sum()
        if risk == "mean":
            value = mass @ losses
        else:  # the mean of the worst fifth of the mass
            order = np.argsort(-losses)
            taken = np.minimum(
                mass[order], np.maximum(0.2 - np.cumsum(mass[order]) + mass[order], 0)
            )
            value = taken @ losses[order] / 0.2
        value += 0.1 * mass @ scores.sum(1).square().numpy()
        assert found["eval_loss"] == pytest.approx(value, rel=1e-4)
        assert found["eval_mean_loss"] == pytest.approx(losses.mean(), rel=1e-4)
        right = ((margins > 0) == (label > 0.5)).double().mean()
        assert found["eval_accuracy"] == pytest.approx(float(right))

    def test_of_a_policy_before_it_moves(self, trained):
        found = trained(eval_data=pairs(5, seed=3), train=False).evaluate()
        assert found["eval_loss"] == pytest.approx(math.log(2), abs=1e-5)
        assert (found["eval_accuracy"], found["eval_margin"]) == (0.5, 0)

    def test_by_name(self, trained):
        data = {"near": pairs(5), "far": pairs(6, seed=9)}
        trainer = trained(eval_data=data)
        found = trainer.evaluate()
        assert {"eval_near_loss", "eval_far_loss", "eval_far_kl"} <= found.keys()
        assert trainer.evaluate("far")["eval_loss"] == found["eval_far_loss"]
        assert found["eval_near_loss"] != found["eval_far_loss"]
        with pytest.raises(ConfigurationError, match="did you mean 'near'"):
            trainer.evaluate("neer")
        with pytest.raises(ConfigurationError, match="when the trainer is made"):
            trainer.evaluate(pairs(3))

    def test_the_best_model_is_loaded(self, trained, weights):
        kept = {}
        other_taste = [row | {"label": 1 - row["label"]} for row in pairs(8, seed=3)]
        trainer = trained(
            llama_reward(), eval_data=other_taste, train=False, eval_strategy="steps",
            eval_steps=1, save_strategy="steps", save_steps=1, load_best_model_at_end=True,
            num_train_epochs=3, learning_rate=1e-2,
        )  # fmt: skip
        log = trainer.log

        def watched(logs, *others):
            if "eval_loss" in logs:
                kept[logs["eval_loss"]] = weights(trainer.model).clone()
            log(logs, *others)

        trainer.log = watched
        trainer.train()
        assert len(kept) == 9
        assert min(kept) == trainer.state.best_metric
        assert list(kept)[-1] != min(kept)
        assert torch.equal(weights(trainer.model), kept[min(kept)])

    def test_data_that_could_not_be_learnt_from_can_be_evaluated(self, trained):
        """Hard labels where training needs soft ones; few pairs where it needs many."""
        trainer = trained(
            data=pairs(8, label=[0.8, 0.3]),
            eval_data=pairs(5),
            objective={"labels": "preference-ball"},
        )
        assert trainer.evaluate()["eval_loss"] > 0
        with pytest.raises(CompositionError, match="no effect on hard labels"):
            trained(objective={"labels": "preference-ball"})
        by_group = {"risk": {"kind": "mean", "unit": "group"}}
        with pytest.raises(DataError, match="eval_dataset: the column 'group'"):
            trained(data=pairs(8, group=["x", "y"]), eval_data=pairs(5), objective=by_group)


def _talk(*contents):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


def _answer(text):
    return [{"role": "assistant", "content": text}]


FORMS = {
    "explicit": lambda i: {"prompt": f"help {i}", "chosen": "good", "rejected": "bad word"},
    "implicit": lambda i: {"chosen": f"help {i} me good", "rejected": f"help {i} me bad"},
    "explicit talk": lambda i: {
        "prompt": _talk(f"help {i}"), "chosen": _answer("good"), "rejected": _answer("bad word")
    },
    "implicit talk": lambda i: {
        "chosen": _talk(f"help {i}", "good"), "rejected": _talk(f"help {i}", "bad word")
    },
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("chat", [None, CHAT])
def test_datasets_of_trl(trained, form, table, chat):
    rows = [FORMS[form](i) for i in range(6)]
    data = Dataset.from_list(rows) if table else rows
    tokenizer = byte_tokenizer(chat)
    trainer = trained(data=data, tokenizer=tokenizer)
    assert len(trainer.pairs) == 6
    prompt, a, b = (tokenizer.decode(ids) for ids in trainer.pairs.tokens.read(np.arange(1))[0])
    chosen, rejected = (a, b) if trainer.pairs.evidence.label[0] == 1 else (b, a)
    assert "help 0" in prompt
    assert "good" in chosen
    assert "bad" in rejected
    assert ("assistant:" in prompt) == ("talk" in form and chat is not None)


@pytest.mark.parametrize("data", ["pairs.jsonl", {"prompt": "x"}, [], [1, 2]])
def test_what_is_no_data_is_refused(trained, data):
    with pytest.raises(DataError):
        trained(data=data)


def test_an_encoder_learns(trained):
    trainer = trained(bert_reward(), data=pairs(16), tokenizer=bert_tokenizer(), num_train_epochs=8)
    assert _logged(trainer, "loss")[-1] < 0.5 * _logged(trainer, "loss")[0]
    assert trainer.evaluate(trainer.pairs)["eval_accuracy"] == 1
