"""What is quick is quick: it starts without torch, which takes seconds to import."""

import json
import subprocess
import sys

_SCRIPT = """
import sys
from surefoot.cli import main
sys.argv = ["surefoot", "audit", sys.argv[1], "--quick", "--output", sys.argv[2]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
slow = {"torch", "transformers", "sklearn"} & set(sys.modules)
assert not slow, f"--quick imports {slow}: import it where it is used, types under TYPE_CHECKING"
"""


def test_quick_audits_need_no_torch(tmp_path):
    path = tmp_path / "pairs.jsonl"
    row = {"chosen": "Seven is one.", "rejected": "Nine.", "source": "a"}
    lines = (json.dumps(row | {"prompt": f"Name prime {i}."}) for i in range(120))
    path.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(path), str(tmp_path / "out")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
