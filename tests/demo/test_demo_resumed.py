"""A demo that is stopped keeps what it has computed, says how to go on, and ends the same."""

from __future__ import annotations

import pytest

import surefoot.demo.pipeline as demo
from surefoot.demo import run_demo
from surefoot.demo.methods import methods
from surefoot.worlds import TextWorld

WORLD = TextWorld(
    training_prompts=4,
    test_prompts=4,
    rare_prompts=3,
    responses=6,
    pairs=120,
    rare_share=0.2,
    test_pairs=60,
)


@pytest.mark.slow
def test_stopped_and_resumed(tmp_path, monkeypatch):
    # Few methods and one seed suffice: what is kept is one of these.
    few = methods(WORLD)[:3]
    monkeypatch.setattr(demo, "methods", lambda world: few)
    monkeypatch.setattr(demo, "write_examples", lambda *_: None)
    fit, fits = demo._fit, []

    def counted(method, *given):
        fits.append(method.name)
        if stop and len(fits) == 3:
            raise KeyboardInterrupt
        return fit(method, *given)

    monkeypatch.setattr(demo, "_fit", counted)
    stop = False
    options = {"seeds": 2, "world": WORLD, "policies": None}
    whole = run_demo(tmp_path / "whole", **options)
    assert len(fits) == 6
    fits.clear()
    stop = True
    said = []
    with pytest.raises(KeyboardInterrupt) as stopped:
        run_demo(tmp_path / "demo", **options, say=said.append)
    assert "--resume goes on" in stopped.value.__notes__[0]
    assert sum("reward model" in line for line in said) == 2  # a line for each
    fits.clear()
    stop = False
    resumed = run_demo(tmp_path / "demo", **options, resume=True)
    assert len(fits) == 4
    one, other = resumed.to_dict(), whole.to_dict()
    one.pop("seconds"), other.pop("seconds")
    assert one == other
    assert not (tmp_path / "demo" / "parts").exists()
