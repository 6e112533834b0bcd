"""Log-probabilities of the reference policy: computed once, kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from surefoot.data.steps import Ints
from surefoot.errors import SurefootError
from surefoot.paths import cache_folder
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.scores import log_probs
from surefoot.scorers.language.tokens import TokenPairs


@contextmanager
def as_reference(model: nn.Module) -> Iterator[nn.Module]:
    """The model as it was before any adapter: with LoRA the adapter is switched off meanwhile."""
    inner: Any = model
    context = inner.disable_adapter() if hasattr(inner, "disable_adapter") else nullcontext()
    with context:
        yield model


def weights_key(model: nn.Module) -> str:
    """Hash of every weight that the reference uses; adapters are left out."""
    digest = hashlib.blake2b(digest_size=16)
    config: Any = getattr(model, "config", None)
    shape = config.to_dict() if config is not None else {}
    for name in ("_name_or_path", "transformers_version", "use_cache", "dtype", "torch_dtype"):
        shape.pop(name, None)  # where it came from, not what it computes
    digest.update(json.dumps(shape, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if "lora_" in name or ".modules_to_save." in name:
            continue
        plain = name.replace("base_model.model.", "").replace(".base_layer", "")
        digest.update(plain.replace(".original_module", "").encode())
        digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True)
class ReferencePolicy:
    """The policy as it was given, in memory: what log-ratios are taken to.

    Attributes:
        model: the policy itself before it is trained, or with its adapter switched off, or a
            frozen copy.
        engine: where forward passes run.
        live: whether it is asked in every step; otherwise its figures are kept on disk.
        key: hash of its weights.
    """

    model: nn.Module
    engine: Engine
    live: bool
    key: str

    @classmethod
    def of(cls, policy: nn.Module, engine: Engine, live: bool) -> ReferencePolicy:
        """The reference of a policy that has not been trained yet."""
        key = weights_key(policy)
        if live and not hasattr(policy, "disable_adapter"):
            policy = copy.deepcopy(policy).eval().requires_grad_(False)
        return cls(policy, engine, live, key)

    def __call__(self, batch: PairBatch) -> Tensor:
        """Log pi_ref(y | x) (n, 2) of a batch."""
        with torch.no_grad(), as_reference(self.model) as model:
            return log_probs(model, batch)

    def log_probs(self, tokens: TokenPairs) -> Tensor:
        """Log pi_ref(y | x) (N, 2) in float32, from disk where they are known.

        Ask before the policy is trained: what is unknown is computed with the weights as they are.

        Raises:
            SurefootError: the weights are no longer the reference's, or a figure is not finite.
        """
        precision = str(self.engine.precision or "as-is").removeprefix("torch.")
        path = cache_folder("reference") / f"{self.key}-{tokens.key}-{precision}.safetensors"
        known = _read(path, len(tokens)) if self.engine.rank == 0 else None
        flag = torch.tensor(0.0 if known is None else 1.0, device=self.engine.device)
        if bool(self.engine.sum_over_ranks(flag)):  # rank 0 tells the others
            known = torch.zeros(len(tokens), 2) if known is None else known
            return self.engine.sum_over_ranks(known.to(self.engine.device)).cpu()
        if weights_key(self.model) != self.key:
            raise SurefootError(
                "the policy has been trained, so its reference is gone: give every data set when "
                "the trainer is made, and train afterwards."
            )
        rows = np.arange(len(tokens))
        with as_reference(self.model) as model:
            values = torch.from_numpy(
                over_rows(_log_probs, model, tokens, rows, self.engine, "reference")
            ).float()
        if not bool(values.isfinite().all()):
            bad = int((~values.isfinite()).any(1).nonzero()[0])
            raise SurefootError(
                f"the reference's log-probability of pair {bad} is not finite: the model as given "
                "cannot score this data."
            )
        if self.engine.rank == 0:
            partial = path.with_suffix(".partial")
            save_file({"log_probs": values}, partial)
            partial.replace(path)
        return values


def _log_probs(model: nn.Module, batch: PairBatch, rows: Ints) -> Tensor:
    return log_probs(model, batch)


def _read(path: Path, count: int) -> Tensor | None:
    try:
        known = load_file(path)["log_probs"] if path.is_file() else None
    except (SafetensorError, KeyError, OSError):  # damaged: compute again
        return None
    return known if known is not None and known.shape == (count, 2) else None
