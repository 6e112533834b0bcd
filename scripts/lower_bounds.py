"""The quick tests with the oldest torch and transformers that `pyproject.toml` allows.

    python scripts/lower_bounds.py [--environment .venv-lower] [arguments of pytest]

An environment of its own is made with them; everything else has the versions of `constraints.txt`
that go with them. Takes a download of torch, and the quick tests.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = ("torch", "transformers")
#: What the releases of the two choose themselves.
FREE = (*OLDEST, "huggingface_hub", "huggingface-hub", "setuptools", "tokenizers", "triton")


def bounds() -> list[str]:
    """The lower bounds as exact versions.

    >>> bounds()[0].startswith("torch==2.")
    True
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = dict(re.findall(r"^([\w-]+)>=([\w.]+)", "\n".join(project["dependencies"]), re.M))
    return [f"{name}=={found[name]}" for name in OLDEST]


def constraints() -> str:
    """The pinned versions without those that the two choose.

    >>> any(line.startswith(("torch==", "tokenizers==")) for line in constraints().splitlines())
    False
    """
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return "\n".join(line for line in lines if line.partition("==")[0] not in FREE) + "\n"


def main() -> int:
    """Make the environment and run the tests in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-lower")
    given, tests = parser.parse_known_args()
    if not (given.environment / "bin" / "python").exists():
        venv.create(given.environment, with_pip=True)
    python = str(given.environment / "bin" / "python")
    pinned = given.environment / "constraints.txt"
    pinned.write_text(constraints())
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", str(pinned)]
    subprocess.run([*install, *bounds(), "--editable", ".[dev]"], cwd=ROOT, check=True)
    chosen = tests or ["-m", "not slow", "-n", "2", "--dist", "worksteal"]
    print(f"{', '.join(bounds())}: pytest {' '.join(chosen)}", flush=True)
    return subprocess.run([python, "-m", "pytest", *chosen], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
