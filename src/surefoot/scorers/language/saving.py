"""Saved models that transformers 4 reads as transformers 5 does.

Version 5 writes what earlier ones read from keys of other names: they fall back on a default for
these, and say nothing. So both are written. Where version 5 would then read something else itself,
the file is left as version 5 wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.runs import atomic

#: Names that older readers know. Version 5 keeps them, and takes no other value from them.
_OLD = (
    *("rope_theta", "rope_scaling", "partial_rotary_factor", "rotary_emb_base", "rotary_pct"),
    *("rope_local_base_freq", "local_rope_theta", "global_rope_theta", "torch_dtype"),
    *("sliding_window_pattern", "global_attn_every_n_layers"),
)


def for_older_readers(folder: str | Path) -> None:
    """Add to a saved model or adapter, and its tokenizer, what transformers 4 looks for."""
    _amend(Path(folder) / "config.json", older_keys, _model_as_read)
    _amend(Path(folder) / "tokenizer_config.json", older_tokenizer, _tokenizer_as_read)


def older_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """What version 5's configuration lacks: positions, windows and type by their old names."""
    added = {"torch_dtype": config["dtype"]} if "dtype" in config else {}
    rope = config.get("rope_parameters") or {}
    by_layer = {name: one for name, one in rope.items() if isinstance(one, Mapping)}
    whole, near = by_layer.get("full_attention"), by_layer.get("sliding_attention")
    if whole is not None:
        added |= _rotary(whole) | {"global_rope_theta": whole.get("rope_theta")}
    if near is not None:
        theta = near.get("rope_theta")
        added |= {"rope_local_base_freq": theta, "local_rope_theta": theta}
    if not by_layer:
        added |= _rotary(rope)
    added |= _windows(config.get("layer_types") or [])
    return {name: value for name, value in added.items() if name not in config}


def _rotary(rope: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions as version 4 names them; GPT-NeoX has names of its own."""
    own = {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}
    known = [name for name in own if name in rope]
    keys = {name: rope[name] for name in known} | {own[name]: rope[name] for name in known}
    scaling = {name: value for name, value in rope.items() if name not in own}
    if scaling.get("rope_type", "default") != "default":
        keys["rope_scaling"] = scaling
    return keys


def _windows(layers: Sequence[str]) -> dict[str, int]:
    """Every how many layers one attends to everything: the last of them (Gemma), or the first."""
    whole = [i for i, one in enumerate(layers) if one == "full_attention"]
    if len(whole) in (0, len(layers)):
        return {}
    for period in range(2, len(layers) + 1):
        if whole == list(range(period - 1, len(layers), period)):
            return {"sliding_window_pattern": period}
        if whole == list(range(0, len(layers), period)):
            return {"global_attn_every_n_layers": period}
    return {}


def older_tokenizer(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is changed in version 5's tokenizer configuration: class, further special tokens."""
    found: dict[str, Any] = {}
    if config.get("tokenizer_class") == "TokenizersBackend":  # its name in version 5
        found["tokenizer_class"] = "PreTrainedTokenizerFast"
    further = config.get("extra_special_tokens")
    if isinstance(further, list):  # a mapping in version 4, where a list goes by another name
        found |= {"extra_special_tokens": None, "additional_special_tokens": further}
    return found


def _amend(
    path: Path, older: Callable[[Mapping[str, Any]], dict[str, Any]], as_read: Callable[[Path], Any]
) -> None:
    """Add to a file that is there, if this transformers reads the same from it afterwards."""
    if not path.is_file():
        return
    before = path.read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(before)
    changed = older(content)
    if not changed:
        return
    expected = as_read(path.parent)
    merged = {k: v for k, v in (content | changed).items() if k not in changed or v is not None}
    atomic.write_text(path, json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
    if as_read(path.parent) != expected:
        atomic.write_text(path, before)


def _model_as_read(folder: Path) -> Any:
    from transformers import AutoConfig

    shape = AutoConfig.from_pretrained(folder, trust_remote_code=False).to_dict()
    return {name: value for name, value in shape.items() if name not in _OLD}


def _tokenizer_as_read(folder: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return (
        tokenizer.backend_tokenizer.to_str(),
        tokenizer.special_tokens_map,
        sorted(tokenizer.all_special_ids),
        tokenizer.chat_template,
        tokenizer.model_input_names,
        tokenizer.padding_side,
    )
