"""A quick version of the benchmark of flip rates: what its tables promise."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import flip_rates


def test_votes_say_the_rate():
    cells = flip_rates.of_votes(3)
    assert len(cells) == 3 * 2 * 4
    for one in cells:
        if one["law"] == "one rate":
            assert one["one rate"]["rmse"] <= 0.02
        elif one["rate"] >= 0.1:
            assert one["one rate"]["mean"] < one["rate"]
        assert (one["beta law"] is None) == (one["votes"] == 3)


@pytest.mark.slow
def test_labels_say_it_where_the_assumption_holds(monkeypatch):
    kept = ("logistic, large margins", "heavier tails (Cauchy)")
    monkeypatch.setattr(flip_rates, "LABELS", {name: flip_rates.LABELS[name] for name in kept})
    cells = flip_rates.of_labels(3)
    for one in cells:
        off = one["mixture"]["mean"] - one["rate"]
        if one["holds"]:
            assert abs(off) <= 0.03
            assert one["precision"] == pytest.approx(one["expected"], abs=0.12)
        assert one["mixture"]["mean"] <= one["at most"]["mean"]
    heavy = [one for one in cells if not one["holds"]]
    assert heavy[0]["mixture"]["mean"] > 0.02  # no label is flipped


def test_a_world_flips_as_many_as_it_says():
    for law in flip_rates.LABELS.values():
        drawn = [law.draw(0.2, np.random.default_rng(i))[1].mean() for i in range(3)]
        assert np.mean(drawn) == pytest.approx(0.2, abs=0.03)


@pytest.mark.slow
def test_tables_have_a_line_for_every_cell(monkeypatch, tmp_path, capsys):
    kept = {name: flip_rates.LABELS[name] for name in ("logistic, 400 pairs",)}
    monkeypatch.setattr(flip_rates, "LABELS", kept)
    flip_rates.main(["--worlds", "1", "--output", str(tmp_path)])
    text = (tmp_path / "flip_rates.md").read_text()
    assert text.count("\n| one rate |") == 8
    assert text.count("\n| logistic, 400 pairs |") == 5
    assert text.count("\n| x ") == 12
    assert text in capsys.readouterr().out
