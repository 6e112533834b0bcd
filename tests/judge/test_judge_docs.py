"""What the page about the judge shows works: configuration, command and Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from judge_server import Endpoint, judging, own_cache, pairs, true_chances

from surefoot.cli import main
from surefoot.data import read_preferences

__all__ = ["own_cache"]  # a fixture that every test here uses

PAGE = Path(__file__).parents[2] / "docs" / "judge.md"
if not PAGE.is_file():  # a source distribution has no documentation
    pytest.skip("there is no documentation", allow_module_level=True)
ADDRESS = "http://localhost:8000/v1"


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = ("prompt", "response_a", "response_b")
    rows = pairs(12).read(*columns)
    texts = [dict(zip(columns, (m[0]["content"] for m in row), strict=True)) for row in rows]
    lines = [json.dumps(row | {"label": 1.0}) for row in texts]
    Path("pairs.jsonl").write_text("\n".join(lines))
    return read_preferences("pairs.jsonl")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_python(data, capsys):
    (text,) = blocks("python")
    with Endpoint(judging()) as endpoint:
        found: dict = {}
        exec(text.replace(ADDRESS, endpoint.url), found)
    np.testing.assert_allclose(found["result"].probabilities, true_chances(data))
    assert "position bias" in capsys.readouterr().out


def test_the_command(data, monkeypatch):
    (text,) = blocks("yaml")
    with Endpoint(judging()) as endpoint:
        Path("judge.yaml").write_text(text.replace(ADDRESS, endpoint.url))
        monkeypatch.setattr("sys.argv", ["surefoot", "sample", "judge.yaml", "--yes"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None)
        assert len(endpoint.bodies) == 24
    written = read_preferences("judged/pairs.jsonl.gz")
    np.testing.assert_allclose(
        written.numbers("auxiliary"), np.clip(true_chances(written), 0.02, 0.98)
    )
