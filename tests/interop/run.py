"""Do models that surefoot saves give the same scores in other versions of transformers?

    python tests/interop/run.py [--versions 4.51.0 4.57.6] [--folder DIR]

Small models of many families are saved by the trainer, with this Python. Each version gets an
environment of its own (venv and pip, with the torch of this one), in which `score.py` reads the
folders as any program would. RewardBench 0.1.4 pins 4.51.0. Takes some minutes and a gigabyte or
two for each version; the environments are kept in DIR, if one is named. Ends with 1 where a model
scores otherwise than here and `KNOWN` does not say so, or where what `KNOWN` says is no longer so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import models  # noqa: E402
import torch  # noqa: E402
from language_models import CHAT, bert_tokenizer, byte_tokenizer  # noqa: E402
from language_models import pairs as made_pairs  # noqa: E402
from peft import LoraConfig  # noqa: E402

VERSIONS = ("4.51.0", "4.57.6")
#: Largest difference of a score that rounding makes.
ROUNDING = 1e-3

#: What cannot be read the same, by version and the beginning of a model's name.
KNOWN = {
    "4.51.0": {
        "qwen2--windows": "it uses the window in every layer, whatever max_window_layers says",
        "qwen3--windows": "it uses the window in every layer, whatever max_window_layers says",
        "gemma3-reward-model": "there is no such classifier yet",
        "smollm3": "there is no such family yet",
        "gemma2": "no cap on attention logits, unless attn_implementation is eager",
    },
    "4.57.6": {"gemma2": "no cap on attention logits, unless attn_implementation is eager"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--versions", nargs="+", default=VERSIONS)
    parser.add_argument("--folder", type=Path, help="where environments and models are kept")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        saved = root / "saved"
        save_all(saved)
        here = _scores(Path(sys.executable), saved, version("transformers"))
        bad = [one for one, found in here.items() if "error" in found]
        for name in bad:
            print(f"here: {name}: {here[name]['error']}")
        wrong = len(bad)
        for name in options.versions:
            python = environment(root / f"transformers-{name}", name)
            wrong += compare(name, here, _scores(python, saved, name))
    return 1 if wrong else 0


def save_all(folder: Path) -> None:
    """Every family's reward model and policy, as the trainer saves them; adapters of a few."""
    from surefoot.scorers.language.saving import for_older_readers
    from surefoot.training import PreferenceConfig, PreferenceTrainer

    folder.mkdir(parents=True, exist_ok=True)
    texts = [" ".join(str(row[side]) for side in ("prompt", "response_a")) for row in made_pairs(8)]
    (folder / "texts.json").write_text(json.dumps([*texts, "good", " ".join(texts)[:300]]))
    kinds = [(name, kind, None) for name in models.FAMILIES for kind in ("reward-model", "policy")]
    adapter = LoraConfig(target_modules="all-linear", init_lora_weights=False)
    kinds += [("llama", "reward-model", adapter), ("llama", "policy", adapter)]
    for name, kind, peft_config in kinds:
        model: Any = models.model(name, kind)
        if model is None:
            continue
        place = folder / f"{'adapted-' if peft_config else ''}{name}-{kind}".replace(", ", "--")
        if peft_config:
            model.save_pretrained(folder.parent / f"base-{kind}")
            for_older_readers(folder.parent / f"base-{kind}")  # as bases on the Hub are
            model = type(model).from_pretrained(folder.parent / f"base-{kind}")
        encoder = name in models.ENCODERS
        tokenizer = bert_tokenizer() if encoder else byte_tokenizer(CHAT)
        args = PreferenceConfig(output_dir=str(place), use_cpu=True, max_steps=1)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            trainer = PreferenceTrainer(
                model, args, processing_class=tokenizer, peft_config=peft_config
            )
            trainer.save_model()


def environment(folder: Path, transformers: str) -> Path:
    """The Python of an environment with this version, made if absent."""
    python = folder / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, f"torch=={torch.__version__.split('+')[0]}"], check=True)
        peft = f"peft=={version('peft')}"
        subprocess.run([*install, f"transformers=={transformers}", peft], check=True)
    return python


def _scores(python: Path, saved: Path, name: str) -> dict[str, Any]:
    script = str(Path(__file__).with_name("score.py"))
    subprocess.run([str(python), script, str(saved)], check=True, capture_output=True)
    found: dict[str, Any] = json.loads((saved / f"scores-{name}.json").read_text())
    return found


def compare(name: str, here: dict[str, Any], there: dict[str, Any]) -> int:
    """Print what differs; the number of models that are not as expected."""
    wrong, same = 0, 0
    for model, ours in here.items():
        if "error" in ours:
            continue
        told = next((why for m, why in KNOWN.get(name, {}).items() if model.startswith(m)), None)
        found = difference(ours, there[model])
        same += found is None
        if found is not None and told is None:
            print(f"{name}: {model}: {found}")
            wrong += 1
        elif found is not None:
            print(f"{name}: {model}: {found} (known: {told})")
        elif told is not None:
            print(f"{name}: {model}: the same, and KNOWN says that it is not: {told}")
            wrong += 1
    print(f"{name}: {same} of {len(here)} models give the same tokens and scores")
    return wrong


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """In words; None where tokens and scores are the same."""
    if "error" in theirs:
        return str(theirs["error"])
    if ours["tokens"] != theirs["tokens"]:
        return "other tokens"
    off = [abs(a - b) for a, b in zip(ours["scores"], theirs["scores"], strict=True)]
    many = sum(one > ROUNDING for one in off)
    return f"{many} of {len(off)} scores differ, by up to {max(off):.2g}" if many else None


if __name__ == "__main__":
    sys.exit(main())
