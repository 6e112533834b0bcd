"""Keep the tables and figures of a demo that was run: `python -m experiments.demo FOLDER`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.common import results
from surefoot.runs.atomic import write_text

HERE = Path(__file__).parent


def kept(part: Mapping[str, Any]) -> dict[str, Any]:
    """What the tables show of the reward models, or of the policies, and what was predicted."""
    return {
        "world": part["world"],
        "seeds": part["seeds"],
        "columns": {key: column["title"] for key, column in part["columns"].items()},
        "rows": [
            {key: row[key] for key in ("name", "objective", "against", "cells")}
            for row in part["rows"]
        ],
        "claims": part["claims"],
    }


def main(arguments: list[str]) -> None:
    """Write `results.json`, `results.md` and `policies.md` here."""
    (folder,) = (Path(one) for one in arguments)
    found = json.loads((folder / "demo.json").read_text())
    content = kept(found) | {"policies": kept(found["policies"])}
    write_text(HERE / "results.json", results.written(content))
    shutil.copyfile(folder / "table.md", HERE / "results.md")
    shutil.copyfile(folder / "policies.md", HERE / "policies.md")


if __name__ == "__main__":
    main(sys.argv[1:])
