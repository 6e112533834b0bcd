"""What is in the way of a run, or befalls its folder, between its beginning and its mark."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import ExitStack, suppress

import pytest
from language_models import pairs
from transformers.trainer_utils import rotate_checkpoints

from surefoot import cli
from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.data.checks import check
from surefoot.errors import ConfigurationError, SurefootError
from surefoot.runs import atomic, claim
from surefoot.training import RunConfig, TrainingData, checkpoint
from surefoot.training.folder import clear_run, progress_of, require_same
from surefoot.training.life_cycle import open_runs


@pytest.fixture(scope="module")
def data():
    found = Preferences.from_rows(pairs(4))
    return TrainingData(found, None, check(found), 0)


def _config(folder, l2=1.0) -> RunConfig:
    return RunConfig(
        data={"train": "pairs.jsonl"},
        scorer={"kind": "embedding", "head": {"kind": "linear", "l2": l2}},
        output=str(folder),
    )


def _run(config, data, **how):
    """All that a run does to its folder."""
    with open_runs([config], **how) as (run,):
        run.begin(data)
        run.folder.write("model.safetensors", "weights")
        run.finish(data, {}, {})


class FaultError(Exception):
    """Stands for the death of the process."""


def test_what_is_left_after_a_fault_at_any_boundary_can_be_gone_on_with(
    tmp_path, data, monkeypatch
):
    seen = []
    for k in range(1, 200):
        config, count = _config(tmp_path / str(k)), 0

        def dying(source, target, replace=os.replace, k=k):
            nonlocal count
            count += 1
            if count >= k:
                raise FaultError
            replace(source, target)

        with monkeypatch.context() as patch, suppress(FaultError):
            patch.setattr(os, "replace", dying)
            _run(config, data)
        state = progress_of(tmp_path / str(k), config)
        seen.append(state)
        if state == "begun":
            require_same(tmp_path / str(k), config)
        elif state == "finished":
            break
        _run(config, data, overwrite=state == "absent", resume=state == "begun")
        assert progress_of(tmp_path / str(k), config) == "finished"
    assert len(seen) > 5
    assert set(seen) == {"absent", "begun", "finished"}
    with pytest.raises(ConfigurationError, match="another configuration"):
        progress_of(tmp_path / str(k), _config(tmp_path / str(k), l2=2.0))


def test_what_is_not_of_a_run_stays(tmp_path, data):
    run = tmp_path / "run"
    _run(_config(run), data)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "surefoot-checkpoint.json").write_text("{}")
    (run / "checkpoint-1").symlink_to(tmp_path / "elsewhere")
    (run / "adapter_notes").mkdir()
    (run / "adapter_notes.txt").write_text("mine")
    (run / "vocab.d").mkdir()
    clear_run(run)
    left = {path.name for path in run.iterdir()}
    assert left == {"adapter_notes", "adapter_notes.txt", "vocab.d", "surefoot-run.json"}
    assert (tmp_path / "elsewhere" / "surefoot-checkpoint.json").exists()


def test_a_clock_that_is_set_back_loses_no_checkpoint(tmp_path):
    for step, time in ((5, 2e9), (10, 2e9 + 60), (15, 1e9)):
        folder = tmp_path / f"checkpoint-{step}"
        checkpoint.save(folder, {}, {})
        os.utime(folder, (time, time))
        rotate_checkpoints(str(tmp_path), save_total_limit=2, use_mtime=True)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-10", "checkpoint-15"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_wait_for_names(tmp_path, monkeypatch, number):
    fsync = os.fsync

    def refusing(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refusing)
    if number == errno.EIO:
        with pytest.raises(OSError, match="Input/output"):
            atomic.write_text(tmp_path / "a.txt", "x")
    else:
        atomic.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"


def _lost() -> None:
    raise RuntimeError("File run/checkpoint-1/optimizer.pt cannot be opened.")


def _moved() -> None:
    os.replace("run/absent", "run/model.safetensors")


@pytest.mark.parametrize("fails", [_lost, _moved])
def test_a_folder_that_is_taken_away_is_one_message(tmp_path, monkeypatch, fails):
    monkeypatch.chdir(tmp_path)

    def run():
        with claim("run", "train") as folder:
            folder.begin()
            shutil.rmtree("run")
            fails()

    with pytest.raises(SurefootError, match=r"run is not finished: .* --resume goes on"):
        run()


def test_an_error_that_is_none_of_the_disk_is_not_explained_by_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(error):
        with claim("run", "train", overwrite=True) as folder:
            folder.begin()
            raise error

    for error in (RuntimeError("running mean and run"), KeyError("run/"), FileNotFoundError("x")):
        with pytest.raises(type(error)) as found:
            run(error)
        assert found.value is error


def test_to_go_on_and_to_begin_anew(tmp_path):
    with (
        pytest.raises(ConfigurationError, match="give one of them"),
        claim(tmp_path / "run", "demo", overwrite=True, resume=True),
    ):
        pytest.fail("claimed")


def test_ctrl_c_twice_is_as_once(tmp_path, monkeypatch, capsys):
    """The second one comes while the first is dealt with, or while that is said."""
    monkeypatch.chdir(tmp_path)
    handled = []

    def stopped_twice(arguments):
        with ExitStack() as stack:
            stack.callback(_raise)
            with claim("run", "train") as folder:
                folder.begin()
                raise KeyboardInterrupt

    def _raise():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_command", stopped_twice)
    monkeypatch.setattr(signal, "signal", lambda *given: handled.append(given))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert "--resume goes on" in " ".join(capsys.readouterr().err.split())
    assert handled[-2:] == [(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)]


def test_a_demo_that_is_finished_is_not_made_again(tmp_path, capsys):
    with claim(tmp_path, "demo --full") as folder:
        folder.begin()
        folder.write("demo.json", {})
        folder.finish(["demo.json"])
    (tmp_path / "parts").mkdir()  # killed before it was taken away
    app(args=["demo", "--full", "--resume", "--output", str(tmp_path)], standalone_mode=False)
    assert "is finished already" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "parts").exists()
