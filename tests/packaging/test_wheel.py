"""The wheel: built, installed elsewhere, and used from a folder that is not the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from surefoot.evaluation.suites import suites

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_works_outside_the_repository(tmp_path, rows):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "surefoot/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # what an installer does with a pure wheel

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run("-c", "import surefoot; print(surefoot.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    (elsewhere / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(40)))
    assert "Verdict" in run("-m", "surefoot", "audit", "pairs.jsonl", "--output", "audit")
    assert "<html" in (elsewhere / "audit" / "report.html").read_text()  # templates came along
    listed = "from surefoot.evaluation.suites import suites; print(*suites())"
    assert run("-c", listed).split() == list(suites())
    run("-c", "import surefoot.worlds")  # whose sentences came along
