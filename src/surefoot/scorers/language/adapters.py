"""PEFT adapters on language models: put on, read, and what lies below them."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.architecture import ModelKind
from surefoot.scorers.language.precision import HALF, half_of
from surefoot.scorers.language.scores import autocast, mode, reward_head

#: What PEFT calls a sequence classifier and a causal language model.
TASKS: dict[str, ModelKind] = {"SEQ_CLS": "reward-model", "CAUSAL_LM": "policy"}


def is_adapter(place: str | Path) -> bool:
    """Whether a folder holds an adapter of PEFT, and no whole model."""
    folder = Path(place)
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def refuse_adapter_alone(place: str, kind: ModelKind) -> None:
    """Refuse a folder that holds an adapter where a whole model is needed.

    Raises:
        ConfigurationError: it does; the message says how to merge it.
    """
    if not is_adapter(place):
        return
    model = "CausalLM" if kind == "policy" else "SequenceClassification"
    labels = "" if kind == "policy" else ", num_labels=1"
    raise ConfigurationError(
        f"{place} holds an adapter, and not the whole model that is needed here. Merge it in "
        "Python, and name the new folder: "
        f"peft.AutoPeftModelFor{model}.from_pretrained({place!r}{labels}).merge_and_unload()"
        ".save_pretrained('merged'); "
        f"transformers.AutoTokenizer.from_pretrained({place!r}).save_pretrained('merged')"
    )


def refuse_prompt_learning(*adapters: Any) -> None:
    """Refuse adapters that put tokens of their own before a text.

    Raises:
        ConfigurationError: one does; the positions of the responses would be wrong.
    """
    for adapter in adapters:
        if getattr(adapter, "is_prompt_learning", False):
            raise ConfigurationError(
                f"{type(adapter).__name__} is refused: it puts tokens of its own before every "
                "text, and the positions of the responses would be wrong. Take LoRA."
            )


def below_adapter(model: Any) -> Any:
    """The base of an adapter, when it is trained and whenever it is loaded.

    The head of a reward model, which is trained and saved whole, is in float32. So is what is not
    quantised of a quantised model.
    """
    if (head := reward_head(model)) is not None:
        head.float()
    return whole_where_not_quantised(model)


def whole_where_not_quantised(model: Any) -> Any:
    """A quantised model with its norms, embeddings and head in float32; others as they are."""
    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        from peft import prepare_model_for_kbit_training

        prepare: Any = prepare_model_for_kbit_training
        model = prepare(model, use_gradient_checkpointing=False)
    return model


def with_adapter(model: Any, peft_config: Any, kind: ModelKind) -> Any:
    """The model with a PEFT adapter; a reward model's head is trained and saved whole.

    Raises:
        ConfigurationError: it has one, or the adapter is not for such a model.
    """
    from peft import get_peft_model

    if hasattr(model, "peft_config"):
        raise ConfigurationError(
            "the model has an adapter already: merge it first (merge_and_unload), or train it "
            "on without a peft_config."
        )
    task = next(name for name, one in TASKS.items() if one == kind)
    if peft_config.task_type not in (None, task):
        raise ConfigurationError(
            f"peft_config.task_type is {peft_config.task_type}; a {kind} needs {task}."
        )
    _require_layers(model, getattr(peft_config, "target_modules", None))
    own = dataclasses.replace(peft_config, task_type=task)
    if kind == "reward-model":
        own.modules_to_save = sorted({*(own.modules_to_save or ()), *_head_of(model)}) or None
    try:
        return get_peft_model(model, own)
    except ValueError as error:
        raise ConfigurationError(f"the adapter does not go with the model: {error}") from None


def _head_of(model: Any) -> list[str]:
    """Parts of a classifier that may be new: all beside the body, and the pooler in it.

    PEFT saves the last layer alone, and what else was drawn at random would be drawn anew.
    """
    body = model.base_model
    beside = [] if body is model else model.named_children()
    inside = [(name, child) for name, child in body.named_children() if name == "pooler"]
    parts = [(name, child) for name, child in (*beside, *inside) if child is not body]
    return [name for name, child in parts if any(True for _ in child.parameters())]


def _require_layers(model: Any, targets: Any) -> None:
    """Refuse names of layers that the model does not have, all of them; PEFT minds if none fits."""
    if targets is None or isinstance(targets, str):  # PEFT's own choice, all-linear or a pattern
        return
    layers = dict(model.named_modules())
    absent = [t for t in targets if not any(f".{full}".endswith(f".{t}") for full in layers)]
    if absent:
        linear = {
            full.rpartition(".")[2]
            for full, layer in layers.items()
            if isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D"
        }
        raise ConfigurationError(
            f"the adapter's targets {', '.join(map(repr, sorted(absent)))} are no layers of this "
            f"model. Its linear layers: {', '.join(sorted(linear))}."
        )


def weights_in(folder: str | Path) -> set[str]:
    """Names of the weights in the folder of an adapter, as the model below calls its own."""
    place = Path(folder)
    names: list[str] = []
    for path in place.glob("adapter_model*.safetensors"):
        with safe_open(path, "pt") as file:
            names += file.keys()
    if (old := place / "adapter_model.bin").is_file():  # a form that PEFT reads
        names += torch.load(old, map_location="meta", weights_only=True)
    return {name.removeprefix("base_model.model.") for name in names}


def read_adapter(model: Any, folder: str | Path) -> Any:
    """A base with the adapter that lies in a folder, whole.

    Raises:
        ConfigurationError: the two do not go together, or weights of the adapter are missing, or
            are for layers that the base does not have.
    """
    from peft import PeftModel, get_peft_model_state_dict

    held, layers = weights_in(folder), dict(model.named_modules())
    places = {one: one.rsplit(".", 2)[0] for one in held if not one.startswith("base_model.")}
    with warnings.catch_warnings():  # PEFT says so, and begins them anew
        warnings.filterwarnings("error", ".*missing adapter keys", UserWarning)
        try:
            unread = [one for one, at in places.items() if "." in one and at not in layers]
            # PEFT renames those of experts, which transformers holds in one tensor since its 5.
            if unread and not any(".experts." in one or "sparse_moe" in one for one in unread):
                raise ValueError(f"the base has no layer for {min(unread)}.")
            adapted: Any = PeftModel.from_pretrained(model, str(folder))
            kept = get_peft_model_state_dict(adapted, save_embedding_layers=False)
            biases = {one.removeprefix("base_model.model.") for one in kept if "bias" in one}
            if biases - held:  # of these PEFT says nothing
                raise KeyError(min(biases - held))
            return adapted
        except (RuntimeError, ValueError, KeyError, UserWarning) as error:
            why = f"it has no {error}." if isinstance(error, KeyError) else str(error)
            raise ConfigurationError(
                f"the adapter {folder} does not go with its base: {why.splitlines()[0]} "
                "Merge the two where they were trained (merge_and_unload), and name the merged "
                "model."
            ) from None


def adapter_tensors(model: nn.Module) -> set[str]:
    """Names, among those of its state, of what belongs to adapters and not to the model below."""
    own = tuple(
        f"{name}.{part}."
        for name, module in model.named_modules()
        for parts in ("adapter_layer_names", "other_param_names")
        for part in getattr(module, parts, ())
    )
    names = list(model.state_dict())
    shared = {one for one in names if one.startswith("base_model.")}
    shared -= {one for one in names if one.startswith("base_model.model.")}
    return shared | {one for one in names if f"{one}.".startswith(own)}


def lies_below(model: Any, logits: Tensor) -> bool:
    """Whether a policy as it was given is what lies below its new adapter.

    It is not where the adapter begins with a part of the weights, which it takes out of the model
    (PiSSA, OLoRA); then it is the policy with the adapter as that begins.

    Args:
        model: with the adapter on.
        logits: what the policy said before (:func:`probe`).

    Raises:
        ConfigurationError: it is neither.
    """
    with model.disable_adapter():
        below = probe(model)
    if close(below, logits, 1e-6):
        return True
    if close(probe(model), logits, rounding(model)):
        return False
    raise ConfigurationError(
        "the adapter's start changes the model: neither with the adapter nor below it is the "
        "policy the one that was given, to which it is to be held. Take another start "
        "(init_lora_weights), or save the model with this adapter merged and train from there."
    )


def stays_below(model: Any) -> bool:
    """Whether a model with its adapter switched off stays the same, whatever is trained.

    Seen by trying: every trained weight is moved, and put back. A bias that is trained beside an
    adapter, or a layer of the base that was thawed, does not stay.
    """
    trained = [one for one in model.parameters() if one.requires_grad]
    kept = [one.data for one in trained]
    with model.disable_adapter():
        before = probe(model)
        try:
            for one in trained:
                one.data = one.data * 1.5 + 0.1
            after = probe(model)
        finally:
            for one, data in zip(trained, kept, strict=True):
                one.data = data
    return bool(torch.equal(before, after))


def probe(model: Any) -> Tensor:
    """Logits (2, 2, V) of the tokens 1 0 and 1 2, in float32, without gradient and dropout."""
    device = model.get_input_embeddings().weight.device
    texts = torch.tensor([[1, 0], [1, 2]], device=device)
    # A trained bias in float32 beside frozen weights in half precision goes with autocast only.
    with torch.no_grad(), mode(model), autocast(device, half_of(model)):
        found = model(input_ids=texts, attention_mask=torch.ones_like(texts), use_cache=False)
    logits: Tensor = found.logits.float()
    return logits


def rounding(model: Any) -> float:
    """What two ways to compute the same logits may differ by, as a part of the largest."""
    # Layers that are held in few bits compute in half precision, whatever their model is in.
    half = half_of(model) or any(
        getattr(layer, "compute_dtype", None) in HALF for layer in model.modules()
    )
    return 1e-2 if half else 1e-4


def close(one: Tensor, other: Tensor, part: float) -> bool:
    """Whether the two are the same up to this part of the largest.

    Raises:
        ConfigurationError: they are no numbers.
    """
    if bool((one + other).isnan().any()):
        raise ConfigurationError(
            "the model gives figures that are not finite: its weights are damaged, or too large "
            "for this precision."
        )
    return float((one - other).abs().max()) <= part * float(other.abs().max())
