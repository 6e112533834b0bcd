"""A run that was killed ends, once resumed, with the weights of the run that was not: bitwise."""

from __future__ import annotations

import copy
import shutil
import signal

import numpy as np
import pytest
import resumed
import torch
from forks import forked
from language_models import byte_tokenizer, pairs
from safetensors.torch import load_file

from surefoot.errors import ConfigurationError
from surefoot.training import checkpoint
from surefoot.training.language.pairs import TrainingPairs

pytestmark = pytest.mark.filterwarnings("ignore")


def _steps(folder):
    return sorted(int(p.name.split("-")[1]) for p in (folder / "run").glob("checkpoint-*"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Final weights of each case."""
    found = {}
    for case in resumed.CASES:
        folder = tmp_path_factory.mktemp("whole")
        resumed.main(folder, case, "start")
        found[case] = load_file(folder / "end.safetensors")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "kill"),
    [
        ("policy", "5"),  # in the second epoch
        ("policy", "9"),  # after its end
        ("adapter", "7"),
        ("doubly robust", "7"),
        ("reward with a state", "3"),
        ("running duals", "5"),
        ("policy", "model.safetensors"),
        ("reward with a state", "optimizer.pt"),
        ("adapter", "trainer_state.json"),
        ("reward with a state", "surefoot"),
    ],
)
def test_killed_and_resumed(tmp_path, uninterrupted, case, kill):
    log = tmp_path / "log"
    code = forked(lambda: resumed.main(tmp_path, case, "start", kill), log)
    assert code == -signal.SIGKILL, log.read_text()[-2000:]
    assert not (tmp_path / "end.safetensors").exists()
    assert _steps(tmp_path)[-1] == (int(kill) // 2 * 2 if kill.isdigit() else 6)
    resumed.main(tmp_path, case, "resume")
    found = load_file(tmp_path / "end.safetensors")
    assert found.keys() == uninterrupted[case].keys()
    for name, value in uninterrupted[case].items():
        assert torch.equal(found[name], value), name


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Folders of runs that ended with step 6, and their trainers."""

    def stop(case):
        folder = tmp_path_factory.mktemp("stopped")
        trainer = resumed.make(folder, case)
        trainer.add_callback(resumed.Stopped(6))
        trainer.train()
        return folder, trainer

    return {case: stop(case) for case in resumed.CASES}


@pytest.mark.parametrize("case", resumed.CASES)
def test_resumed_in_the_same_process(stopped, uninterrupted, tmp_path, case):
    """Also from a folder that is named, and in the middle of an epoch."""
    shutil.copytree(stopped[case][0] / "run", tmp_path / "run")
    trainer = resumed.make(tmp_path, case)
    assert _steps(tmp_path) == [6]
    trainer.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-6"))
    logged = [row["step"] for row in trainer.state.log_history if "loss" in row]
    assert logged == list(range(1, 13))
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, uninterrupted[case][name]), name


def test_the_state_of_a_risk_is_kept_and_used(stopped, tmp_path, uninterrupted):
    case = "reward with a state"
    folder, trainer = stopped[case]
    weights = trainer.risk_state["weights"]
    assert len(weights.unique()) == 3
    kept = checkpoint.load(folder / "run" / "checkpoint-6", trainer._settings())
    assert torch.equal(kept["weights"], weights)
    ends = {}
    for start in ("kept", "forgotten"):
        shutil.copytree(folder / "run", tmp_path / start / "run")
        if start == "forgotten":
            without = tmp_path / start / "run" / "checkpoint-6"
            checkpoint.save(without, {}, trainer._settings())
        again = resumed.make(tmp_path / start, case)
        again.train(resume_from_checkpoint=True)
        ends[start] = again.risk_state["weights"]
    assert not torch.equal(ends["kept"], weights)
    assert not torch.equal(ends["kept"], ends["forgotten"])


def test_evaluation_uses_the_state_of_the_sources_that_it_knows(stopped):
    _, trainer = stopped["reward with a state"]
    state, risk = trainer.risk_state, trainer.objective.risk
    for data, used in (
        (pairs(15, source=["one", "two", "three"]), state),
        (pairs(10, source=["two", "four"]), {}),
    ):
        made = TrainingPairs.of(
            data, byte_tokenizer(), trainer.objective, "rewards", 99, learning=False
        )
        step = trainer.engine.batch(made.tokens, np.arange(len(made)))
        with torch.no_grad():
            scores = trainer.score.of_model(trainer.model.eval(), step).double()
        toward = 2 * made.evidence.label - 1
        losses = torch.nn.functional.softplus(-(scores[:, 0] - scores[:, 1]) * toward)
        expected = float(risk(losses, None, made.units, used).value)
        assert trainer.evaluate(made)["eval_loss"] == pytest.approx(expected, rel=1e-4)


def test_a_new_run_begins_without_a_state(tmp_path):
    trainer = resumed.make(tmp_path, "reward with a state")
    trainer.args.max_steps = 1
    trainer.train()
    trained = copy.deepcopy(trainer.model.state_dict())  # the second run goes on from these weights
    trainer.train()
    again = resumed.make(tmp_path / "again", "reward with a state")
    again.model.load_state_dict(trained)
    again.args.max_steps = 1
    again.train()
    second = trainer.risk_state["weights"]
    torch.testing.assert_close(second, again.risk_state["weights"])


def test_another_reference_is_refused(stopped, tmp_path):
    shutil.copytree(stopped["policy"][0] / "run", tmp_path / "run")
    trainer = resumed.make(tmp_path, "policy", seed=1)
    with pytest.raises(ConfigurationError, match="trained against another reference policy"):
        trainer.train(resume_from_checkpoint=True)


def test_a_checkpoint_that_was_not_finished_is_passed_over(stopped, tmp_path):
    shutil.copytree(stopped["policy"][0] / "run", tmp_path / "run")
    torn = tmp_path / "run" / "checkpoint-8"
    shutil.copytree(tmp_path / "run" / "checkpoint-6", torn)
    state = torn / "trainer_state.json"
    state.write_text(state.read_text()[:200])
    with pytest.warns(UserWarning, match="checkpoint-8: damaged"):
        assert checkpoint.newest(tmp_path / "run").endswith("checkpoint-6")
    with pytest.raises(ConfigurationError, match="checkpoint-8 is no whole checkpoint"):
        checkpoint.load(torn, {})
    (tmp_path / "run" / "checkpoint-6" / "surefoot-checkpoint.json").unlink()  # another trainer's
    with pytest.raises(ConfigurationError, match="holds no checkpoint"):
        resumed.make(tmp_path, "policy").train(resume_from_checkpoint=True)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
def test_a_checkpoint_with_a_cut_file_is_passed_over(stopped, tmp_path, name):
    shutil.copytree(stopped["policy"][0] / "run", tmp_path / "run")
    torn = tmp_path / "run" / "checkpoint-8"
    shutil.copytree(tmp_path / "run" / "checkpoint-6", torn)
    assert checkpoint.newest(tmp_path / "run") == str(torn)
    (torn / name).write_bytes((torn / name).read_bytes()[:-100])
    with pytest.warns(UserWarning, match=r"checkpoint-8: damaged; going on from checkpoint-6\."):
        assert checkpoint.newest(tmp_path / "run").endswith("checkpoint-6")
    with pytest.raises(ConfigurationError, match="checkpoint-8 is no whole checkpoint"):
        checkpoint.load(torn, {})
