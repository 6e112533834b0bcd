"""Log-probabilities of the reference policy: computed once, kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
import zlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.errors import SurefootError
from surefoot.escaping import warn
from surefoot.paths import cache_folder
from surefoot.runs import atomic
from surefoot.scorers.language.adapters import adapter_tensors, stays_below
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.precision import circumstances
from surefoot.scorers.language.scores import log_probs, mode, quick_attention
from surefoot.scorers.language.sharing import suited

#: Parts of a configuration that say where a model came from, or what its trainer made of it.
_NOT_WHAT_IT_COMPUTES = (
    *("_name_or_path", "transformers_version", "use_cache", "dtype", "torch_dtype"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
)


def base_key(model: nn.Module) -> str | None:
    """Hash of what lies below an adapter and is used under it; None where there is no adapter."""
    return weights_key(model, replaced=False) if hasattr(model, "peft_config") else None


def weights_key(model: nn.Module, adapters: bool = False, replaced: bool = True) -> str:
    """Hash of every weight that the reference uses.

    Args:
        model: with an adapter or without.
        adapters: those of adapters count too, and how much they add.
        replaced: so does what an adapter puts a trained copy in place of, such as a new head.
    """
    digest = hashlib.blake2b(digest_size=16)
    config: Any = getattr(model, "config", None)
    shape = {} if config is None else config.to_dict()
    shape = {name: one for name, one in shape.items() if name not in _NOT_WHAT_IT_COMPUTES}
    digest.update(json.dumps(shape, sort_keys=True, default=str).encode())
    left_out = set() if adapters else adapter_tensors(model)
    for name, module in model.named_modules() if adapters else ():
        if hasattr(module, "active_adapters") and hasattr(module, "scaling"):
            digest.update(f"{name}: {module.active_adapters} {module.scaling}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        if name in left_out or (".original_module." in name and not replaced):
            continue
        plain = name.replace("base_model.model.", "")
        for wrapping in (".base_layer", ".original_module", ".token_adapter"):
            plain = plain.replace(wrapping, "")
        digest.update(plain.encode())
        digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True)
class ReferencePolicy:
    """The policy as it was given, in memory: what log-ratios are taken to.

    It is the policy itself before that is trained, or with its adapter switched off where that is
    the policy as given whatever is trained, or a frozen copy.
    """

    model: nn.Module
    engine: Engine  #: where forward passes run
    live: bool  #: whether it is asked in every step; otherwise its figures are kept on disk
    without_adapter: bool  #: it is the model with its adapter switched off
    key: str  #: hash of its weights

    @classmethod
    def of(
        cls, policy: nn.Module, engine: Engine, live: bool, with_adapter: bool = False
    ) -> ReferencePolicy:
        """The reference of a policy that has not been trained yet.

        Where it is `with_adapter`, an adapter is part of it, not what is trained beside it.
        """
        without = hasattr(policy, "disable_adapter") and not with_adapter
        key = weights_key(policy, adapters=with_adapter)
        if live and not (without and stays_below(policy)):
            if without:
                warn(
                    "more is trained than what the adapter switches off (biases, or layers of the "
                    "base): a frozen copy of the whole model is held as the reference.",
                    stacklevel=3,
                )
            policy = _frozen(policy)
        return cls(policy, engine, live, without, key)

    def __call__(self, batch: PairBatch) -> Tensor:
        """Log pi_ref(y | x) (n, 2) of a batch."""
        with torch.no_grad(), self._as_given(), mode(self.model):
            return log_probs(self.model, batch)

    @contextmanager
    def _as_given(self) -> Iterator[None]:
        model: Any = self.model
        half = self.engine.precision is not None
        with (
            model.disable_adapter() if self.without_adapter else nullcontext(),
            quick_attention(model, self.engine.device, half),
        ):
            yield

    def log_probs(self, tokens: TokenPairs) -> Tensor:
        """Log pi_ref(y | x) (N, 2) in float64, from disk where they are known.

        They are known only where they were computed in the same way: precision, device, attention
        and versions are part of the name. Ask before the policy is trained: what is unknown is
        computed with the weights as they are.

        Raises:
            SurefootError: the weights are no longer the reference's, or a figure is not finite.
        """
        engine = self.engine
        with self._as_given():
            how = circumstances(self.model, engine.precision, engine.device)
        named = hashlib.blake2b(json.dumps(how, sort_keys=True).encode(), digest_size=8).hexdigest()
        path = cache_folder("reference") / f"{self.key}-{tokens.key}-{named}.safetensors"
        known = _read(path, len(tokens)) if engine.rank == 0 else None
        flag = torch.tensor(0.0 if known is None else 1.0, device=engine.device)
        if bool(engine.sum_over_ranks(flag)):  # rank 0 tells the others
            known = torch.zeros(len(tokens), 2, dtype=torch.float64) if known is None else known
            return engine.sum_over_ranks(known.to(engine.device)).cpu()
        if weights_key(self.model, adapters=not self.without_adapter) != self.key:
            raise SurefootError(
                "the policy has been trained, so its reference is gone: give every data set when "
                "the trainer is made, and train afterwards."
            )
        rows = np.arange(len(tokens))
        with self._as_given():
            engine, _ = suited(engine, self.model, log_probs, tokens)
            found = over_rows(log_probs, self.model, tokens, rows, engine, "reference")
        values = torch.from_numpy(found)
        if not bool(values.isfinite().all()):
            bad = int((~values.isfinite()).any(1).nonzero()[0])
            raise SurefootError(
                f"the reference's log-probability of pair {bad} is not finite: the model as given "
                "cannot score this data."
            )
        if engine.rank == 0:
            atomic.clean(path.parent)
            with atomic.appearing(path) as part:
                save_file({"log_probs": values}, part, how | {"checksum": _checksum(values)})
        return values


def _frozen(policy: nn.Module) -> nn.Module:
    """A copy that stays as it is.

    A trainer before us may have put a `forward` of its own on the model (Accelerate does, in mixed
    precision), and a copy would go on calling the policy through it.
    """
    made = copy.deepcopy(policy)
    for module in made.modules():
        vars(module).pop("forward", None)
    return made.eval().requires_grad_(False)


def _checksum(values: Tensor) -> str:
    return str(zlib.crc32(values.contiguous().numpy().tobytes()))


def _read(path: Path, count: int) -> Tensor | None:
    """What is known; None, with a warning where it is damaged, if it has to be computed."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            known: Tensor = file.get_tensor("log_probs")
            checksum = (file.metadata() or {}).get("checksum")
        if (known.shape, known.dtype, _checksum(known)) == ((count, 2), torch.float64, checksum):
            return known
    except (SafetensorError, OSError):
        pass
    warn(f"{path} in the cache is damaged: the reference is computed anew.", stacklevel=3)
    return None


#: References that someone holds, by what they were read from.
HELD: WeakValueDictionary[Hashable, ReferencePolicy] = WeakValueDictionary()
