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

_CONFIG, _TOKENIZER = "config.json", "tokenizer_config.json"


def for_older_readers(folder: str | Path) -> None:
    """Add to a saved model and its tokenizer what transformers 4 looks for.

    Args:
        folder: with `config.json`, unless it holds an adapter alone, and `tokenizer_config.json`.
    """
    place = Path(folder)
    if (place / _CONFIG).is_file():
        _amend(place / _CONFIG, older_keys, _model_as_read)
    if (place / _TOKENIZER).is_file():
        _amend(place / _TOKENIZER, older_tokenizer, _tokenizer_as_read)


def older_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is added to a configuration: rotary positions, windows and type under their old names.

    Args:
        config: as version 5 writes it.
    """
    added: dict[str, Any] = {}
    if "dtype" in config:
        added["torch_dtype"] = config["dtype"]
    rope = config.get("rope_parameters") or {}
    by_layer = {name: one for name, one in rope.items() if isinstance(one, Mapping)}
    if by_layer:
        whole, near = by_layer.get("full_attention"), by_layer.get("sliding_attention")
        if whole is not None:
            added |= _rotary(whole) | {"global_rope_theta": whole.get("rope_theta")}
        if near is not None:
            theta = near.get("rope_theta")
            added |= {"rope_local_base_freq": theta, "local_rope_theta": theta}
    elif rope:
        added |= _rotary(rope)
    added |= _windows(config.get("layer_types") or [])
    return {name: value for name, value in added.items() if name not in config}


def _rotary(rope: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions as version 4 names them; GPT-NeoX has names of its own."""
    own = ("rope_theta", "partial_rotary_factor")
    keys = {name: rope[name] for name in own if name in rope}
    if "rope_theta" in rope:
        keys["rotary_emb_base"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        keys["rotary_pct"] = rope["partial_rotary_factor"]
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
    """What is changed in a tokenizer's configuration: its class and its further special tokens.

    Args:
        config: as version 5 writes it.
    """
    found: dict[str, Any] = {}
    if config.get("tokenizer_class") == "TokenizersBackend":  # its name in version 5
        found["tokenizer_class"] = "PreTrainedTokenizerFast"
    further = config.get("extra_special_tokens")
    if isinstance(further, list):  # a mapping in version 4, where a list goes by another name
        found |= {"extra_special_tokens": None, "additional_special_tokens": further}
    return found


def _amend(
    path: Path,
    older: Callable[[Mapping[str, Any]], dict[str, Any]],
    as_read: Callable[[Path], Any],
) -> None:
    """Add to a file, if this version of transformers reads the same from it afterwards."""
    before = path.read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(before)
    changed = older(content)
    if not changed:
        return
    expected = as_read(path.parent)
    merged = {k: v for k, v in (content | changed).items() if k not in changed or v is not None}
    _replace(path, json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
    if as_read(path.parent) != expected:
        _replace(path, before)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _model_as_read(folder: Path) -> Any:
    from transformers import AutoConfig

    shape = AutoConfig.from_pretrained(folder, trust_remote_code=False).to_dict()
    return {name: value for name, value in shape.items() if name not in _OLD}


#: Names that older readers know. Version 5 keeps them, and takes no other value from them.
_OLD = (
    *("rope_theta", "rope_scaling", "partial_rotary_factor", "rotary_emb_base", "rotary_pct"),
    *("rope_local_base_freq", "local_rope_theta", "global_rope_theta", "torch_dtype"),
    *("sliding_window_pattern", "global_attn_every_n_layers"),
)


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
