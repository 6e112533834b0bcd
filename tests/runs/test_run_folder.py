"""A folder is as it was, begun, or finished, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.runs import MARK, atomic, claim, is_finished, require_finished, seed_folders
from surefoot.runs.folder import Mark


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _finished(folder: Path, command: str = "train", **files: str) -> Path:
    with claim(folder, command, overwrite=True) as made:
        made.begin()
        for name, text in (files or {"model": "old"}).items():
            made.write(f"{name}.json", {"says": text})
        made.finish(["*.json"])
    return folder


def _replace(folder: Path) -> None:
    """What an overwriting run of three files does."""
    with claim(folder, "train", overwrite=True) as made:
        made.begin(lambda path: (path / "model.json").unlink(missing_ok=True))
        for name in ("model", "manifest", "prompts"):
            made.write(f"{name}.json", {"says": "new"})
        made.finish(["*.json"])


class FaultError(Exception):
    """Stands for the death of the process: nothing of ours catches it."""


#: What asks the disk for something.
CALLS = ("os.replace", "os.fsync", "pathlib.Path.write_text", "pathlib.Path.unlink")


@pytest.fixture
def faulty(monkeypatch):
    """Makes the k-th call of any kind die; says how many there were before."""

    def make(k: int, error: type[BaseException] | OSError):
        count = 0

        def dying(call):
            def instead(*given, **named):
                nonlocal count
                count += 1
                if count == k:
                    raise error
                if count > k and error is FaultError:  # a dead process does nothing more
                    raise error
                return call(*given, **named)

            return instead

        patch = pytest.MonkeyPatch()
        for name in CALLS:
            module, _, function = name.rpartition(".")
            owner = {"os": os, "pathlib.Path": Path}[module]
            patch.setattr(owner, function, dying(getattr(owner, function)))
        return patch, lambda: count

    return make


def _state(folder: Path) -> str:
    """What a reader makes of a folder."""
    said = ""
    with suppress(ConfigurationError):
        require_finished(folder)
        said = "finished"
    if not said:
        with pytest.raises(ConfigurationError, match="was not finished"):
            require_finished(folder)
        return "refused"
    files = ("model", "manifest", "prompts")
    said = {
        json.loads(p.read_text())["says"] for n in files if (p := folder / f"{n}.json").exists()
    }
    assert len(said) == 1
    return said.pop()


def test_a_fault_at_every_boundary_leaves_old_refused_or_new(tmp_path, faulty):
    """And the same command ends as if nothing had happened."""
    seen, k = [], 0
    while True:
        k += 1
        folder = _finished(tmp_path / str(k))
        patch, _ = faulty(k, FaultError)
        try:
            _replace(folder)
        except FaultError:
            pass
        else:
            break
        finally:
            patch.undo()
        seen.append(_state(folder))
        _replace(folder)
        assert _state(folder) == "new"
        assert _names(folder) == {MARK, "model.json", "manifest.json", "prompts.json"}
    assert k > 15
    assert set(seen) == {"old", "refused", "new"}
    order = {"old": 0, "refused": 1, "new": 2}
    assert seen == sorted(seen, key=order.__getitem__)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_at_any_boundary_is_one_message(tmp_path, faulty, number):
    k, told = 0, 0
    while True:
        k += 1
        folder = _finished(tmp_path / str(k))
        patch, count = faulty(k, OSError(number, os.strerror(number)))
        said = ""
        try:
            _replace(folder)
        except SurefootError as error:
            said = str(error)
        finally:
            patch.undo()
        told += bool(said)
        assert not said or (str(folder) in said and os.strerror(number) in said)
        assert _state(folder) in ("old", "refused", "new")
        if count() < k:
            break
    assert told > 10


def test_a_process_that_is_killed_leaves_its_lock_to_the_next(tmp_path):
    script = (
        "import sys; from surefoot.runs import claim\n"
        "with claim(sys.argv[1], 'train') as folder:\n"
        "    folder.begin(); print('ready', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "ready\n"
        with (
            pytest.raises(ConfigurationError, match=f"being written by process {holder.pid} on"),
            claim(tmp_path / "run", "train", overwrite=True),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    finally:
        holder.kill()
    with pytest.raises(ConfigurationError, match="not finished"):
        require_finished(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="holds a run that was not finished"):  # noqa: SIM117
        with claim(tmp_path / "run", "train"):
            pass
    _replace(tmp_path / "run")
    assert is_finished(tmp_path / "run")


def test_another_thread_is_refused_and_what_is_called_is_not(tmp_path):
    found = []

    def other():
        try:
            with claim(tmp_path / "run", "train", overwrite=True):
                found.append("both")
        except ConfigurationError as error:
            found.append(str(error))

    with claim(tmp_path / "run", "train"), claim(tmp_path / "run", "train"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert f"process {os.getpid()}" in found[0]


def test_the_ranks_of_a_job_share_one_claim(tmp_path, monkeypatch):
    with claim(tmp_path / "run", "train"):
        monkeypatch.setenv("RANK", "1")
        script = (
            "import sys; from surefoot.runs import claim\nwith claim(sys.argv[1], 'train'): pass"
        )
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "run")], check=True)


def test_a_claim_that_comes_to_nothing_leaves_no_trace(tmp_path):
    def fails() -> None:
        with claim(tmp_path / "a" / "b", "train"):
            assert (tmp_path / "a" / "b").is_dir()
            raise SurefootError("later")

    with pytest.raises(SurefootError, match="later"):
        fails()
    assert _names(tmp_path) == set()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file", "is a file"),
        ("file/below", "is a file"),
        ("n" * 300, "File name too long"),
        ("new/" + "n" * 300, "File name too long"),
        ("dangling", "cannot be written"),
        ("nul\0", "no name for an output"),
    ],
)
def test_an_output_that_cannot_be(tmp_path, place, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")
    before = _names(tmp_path)
    with pytest.raises(SurefootError, match=message), claim(tmp_path / place, "train"):
        pytest.fail("claimed")
    assert _names(tmp_path) == before


def test_a_folder_that_is_read_only_and_a_full_disk(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:  # the tests may run as root
        patch.setattr(os, "open", denied)
        with pytest.raises(SurefootError, match="Permission denied"), claim(tmp_path, "train"):
            pytest.fail("claimed")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SurefootError, match="No space left"), claim(tmp_path, "train"):
        pytest.fail("claimed")
    assert _names(tmp_path) == set()


def test_room_for_what_will_be_written(tmp_path):
    with claim(tmp_path / "run", "train") as made:
        made.require_room(1)
        with pytest.raises(SurefootError, match="MiB left"):
            made.require_room(2**60)


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    with (
        pytest.raises(ConfigurationError, match="a folder where a file would be"),
        claim(tmp_path, "train", overwrite=True),
    ):
        pytest.fail("claimed")


def test_what_another_command_wrote_stays(tmp_path):
    _finished(tmp_path / "run", "train")
    for how in ({}, {"overwrite": True}, {"resume": True}):
        with (
            pytest.raises(ConfigurationError, match="holds what surefoot train wrote"),
            claim(tmp_path / "run", "evaluate", **how),
        ):
            pytest.fail("claimed")
    assert _state(tmp_path / "run") == "old"


@pytest.fixture
def tree(tmp_path):
    """Inputs, a link to one of them, and folders around them."""
    _finished(tmp_path / "models" / "base")
    (tmp_path / "models" / "base" / "part").mkdir()
    (tmp_path / "models" / "base" / "part" / "file").write_text("x")
    (tmp_path / "data.jsonl").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "models" / "base")
    (tmp_path / "around").symlink_to(tmp_path / "models")
    return tmp_path


@pytest.mark.parametrize(
    ("output", "read"),
    [
        ("models/base", "models/base"),
        ("link", "models/base"),
        ("models/base", "link"),
        ("models", "models/base"),
        ("around", "models/base"),
        ("models/base/part", "models/base"),
        ("models/base/part", "link"),
        (".", "data.jsonl"),
        ("models/../models/base", "models/base"),
    ],
)
@pytest.mark.parametrize("how", ["overwrite", "resume"])
def test_what_is_read_is_not_written_over(tree, output, read, how):
    before = {p: p.read_bytes() for p in tree.rglob("*") if p.is_file()}
    with (
        pytest.raises(ConfigurationError, match="this run reads"),
        claim(tree / output, "train", reads=[tree / read], **{how: True}),
    ):
        pytest.fail("claimed")
    assert {p: p.read_bytes() for p in tree.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("read", ["owner/name", "hub:owner/name@split", "n" * 400, "models/other"])
def test_what_is_elsewhere_stands_in_nobodys_way(tree, read):
    with claim(tree / "models" / "new", "train", reads=[read, tree / "data.jsonl"]):
        pass


def test_a_report_inside_what_was_evaluated(tree):
    report = tree / "models" / "base" / "report"
    for _ in range(2):
        with claim(report, "evaluate", overwrite=True, reads=[tree / "models" / "base"]) as made:
            made.begin()
            made.finish()


@pytest.mark.parametrize(
    ("command", "begun", "advice"),
    [("train", False, "as it was"), ("train", True, "--resume"), ("audit", True, "--overwrite")],
)
def test_how_to_go_on_after_ctrl_c(tmp_path, command, begun, advice):
    def stopped() -> None:
        with (
            claim(tmp_path, command) as outer,
            claim(tmp_path / "seed-0", command),
            claim(tmp_path, command) as made,
        ):
            assert made is outer
            if begun:
                made.begin()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        stopped()
    (note,) = stop.value.__notes__
    assert advice in note
    assert str(tmp_path) in note


def test_pieces_that_are_lost_or_cut(tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    with claim(tmp_path / "run", "train") as made:
        made.begin()
        save_file({"x": np.zeros(9)}, made.path / "model.safetensors")
        made.write("README.md", "x")
        made.write("config.json", {})
        made.finish(["*.safetensors", "config.json"])
    folder = tmp_path / "run"
    assert require_finished(folder)
    (folder / "README.md").unlink()
    (folder / "config.json").write_text('{"mended": "by hand"}')
    assert require_finished(folder)
    weights = folder / "model.safetensors"
    os.truncate(weights, 90)
    with pytest.raises(ConfigurationError, match=r"model\.safetensors has 90 bytes and had 1"):
        require_finished(folder)
    weights.unlink()
    with pytest.raises(ConfigurationError, match=r"model\.safetensors is missing"):
        require_finished(folder)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["finished", "schema_version", "pieces", "parts", "command", "x"]
                    ),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=8,
        ).map(lambda found: json.dumps(found).encode()),
        st.fixed_dictionaries(
            {
                "schema_version": st.just(1),
                "finished": st.booleans(),
                "pieces": st.none() | st.integers() | st.lists(st.integers(), max_size=2),
                "parts": st.none() | st.integers() | st.lists(st.integers(), max_size=2),
            }
        ).map(lambda found: json.dumps(found).encode()),
    )
)
def test_a_damaged_mark_is_one_message(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("run")
    (folder / MARK).write_bytes(content)
    with suppress(ConfigurationError):
        assume(Mark.of(folder) is None)  # a whole mark of another command is refused elsewhere
    told = ""
    try:
        require_finished(folder)
    except ConfigurationError as error:
        told = str(error)
    assert not told or str(folder) in told
    with claim(folder, "train", overwrite=True) as made:
        made.begin()
        made.finish()
    assert require_finished(folder)


def test_seeds_are_all_there_or_refused(tmp_path):
    with claim(tmp_path / "all", "train") as made:
        made.begin(parts=["seed-0", "seed-1"])
        _finished(tmp_path / "all" / "seed-0")
        with pytest.raises(ConfigurationError, match=r"was not finished \(seed-1 absent\)"):
            seed_folders(tmp_path / "all")
        _finished(tmp_path / "all" / "seed-1")
        with pytest.raises(ConfigurationError, match="was not finished"):
            seed_folders(tmp_path / "all")
        made.finish(parts=["seed-0", "seed-1"])
    _finished(tmp_path / "all" / "seed-10")
    assert [p.name for p in seed_folders(tmp_path / "all")] == ["seed-0", "seed-1", "seed-10"]
    with claim(tmp_path / "all" / "seed-10", "train", overwrite=True) as made:
        made.begin()
    with pytest.raises(ConfigurationError, match="seed-10 was not finished"):
        seed_folders(tmp_path / "all")
    shutil.rmtree(tmp_path / "all" / "seed-1")
    with pytest.raises(ConfigurationError, match="seed-1 is missing"):
        seed_folders(tmp_path / "all")


def test_what_dead_processes_left_is_taken_away_and_what_lives_is_not(tmp_path):
    (tmp_path / ".part-dead.json").write_text("half")
    with atomic.appearing(tmp_path / "whole.json") as part:
        part.write_text("{}")
        atomic.clean(tmp_path)
        assert part.exists()
    assert _names(tmp_path) == {"whole.json"}


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    atomic.write_text(tmp_path / "a.json", "old")
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", {"x": float("inf")})
    assert _names(tmp_path) == {"a.json"}
    assert (tmp_path / "a.json").read_text() == "old"
