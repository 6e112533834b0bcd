"""What is offered by `import surefoot` alone, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import surefoot


def test_the_audit_of_a_file_in_one_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "p{i}", "chosen": "a{i}", "rejected": "b{i}"}}\n' for i in range(30))
    )
    issues = surefoot.audit(surefoot.read_preferences(path), quick=True).issues
    assert list(issues.columns) == ["row", "diagnostic", "score", "verdict"]


def test_nothing_is_imported_before_it_is_used():
    code = "import surefoot, sys; print(sorted({'torch', 'datasets', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_names_are_unknown():
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = surefoot.train
