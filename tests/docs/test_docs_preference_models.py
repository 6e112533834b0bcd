"""The page on models that judge pairs: its configurations construct, its equations can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from surefoot_docs.mathml import mathml

from surefoot.training import RunConfig

PAGE = (Path(__file__).parents[2] / "docs" / "preference-models.md").read_text()
BLOCKS = dict(re.findall(r"<!-- pairs: (.+?) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize("name", ["embeddings", "language model"])
def test_its_configurations_judge_pairs(name):
    assert RunConfig(**yaml.safe_load(BLOCKS[name])).scorer.pairwise


def test_its_equations_can_be_read():
    found = re.findall(r"```\{math\}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 2
    assert all("<math" in mathml(block.strip(), block=True) for block in found)
