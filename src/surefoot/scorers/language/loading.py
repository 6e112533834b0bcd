"""Language models ready to train: loaded, padded, adapted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surefoot.errors import ConfigurationError, SurefootError, first_line
from surefoot.pretrained import PreTrainedModel, Tokenizer
from surefoot.runs import require_finished
from surefoot.scorers.language import adapters
from surefoot.scorers.language.architecture import (
    ModelKind,
    config_at,
    ensure_pad_token,
    kind_named,
    positions_in,
    require_rows,
    text_config,
)
from surefoot.scorers.language.precision import half_of, whole_tables
from surefoot.scorers.language.scores import autocast, base_of, mode, reward_head


@dataclass(frozen=True)
class Prepared:
    """A model and its tokenizer, ready to train."""

    model: Any  #: with its adapter, if any
    tokenizer: Tokenizer  #: padding on the right
    kind: ModelKind  #: what the model is
    encoder: bool  #: it reads a text in both directions and closes it with a special token
    new_adapter: bool = False  #: the model as given is this one with its adapter switched off

    @property
    def pad_id(self) -> int:
        """The padding token of a reward model; a policy never sees it, so any token will do."""
        found = self.tokenizer.pad_token_id
        named = text_config(self.model).pad_token_id
        if self.kind == "reward-model" and named is not None:
            found = named  # by which it finds the last token of a text
        return int(self.tokenizer.eos_token_id or 0) if found is None else int(found)

    @cached_property
    def positions(self) -> int:
        """Tokens that the model can read."""
        return positions_of(self.model.config, self.tokenizer, self.encoder)


def positions_of(config: Any, tokenizer: Tokenizer, encoder: bool) -> int:
    """Tokens that a model with this configuration can read; encoders may keep a few for them."""
    known = positions_in(config)
    return min(known, tokenizer.model_max_length) if encoder else known


def prepare_model(
    model: Any,
    tokenizer: Tokenizer | None = None,
    peft_config: Any = None,
    kind: ModelKind | None = None,
    keep_padding: bool = False,
    labels: int = 1,
) -> Prepared:
    """A model from a model or a name, with what training needs.

    Args:
        model: a sequence classifier, a causal language model, or a name.
        tokenizer: by default the one beside the model.
        peft_config: of an adapter to put on it.
        kind: what a name is loaded as.
        keep_padding: leave a reward model the pad token that its configuration names, even if that
            is the end token: it was trained to read the token before.
        labels: that a sequence classifier has.

    Raises:
        ConfigurationError: no such model or tokenizer, a kind that contradicts it, a policy that
            sees later tokens, tokens without a row, an adapter of prompts or with another start.
    """
    name = model if isinstance(model, str) else getattr(model.config, "_name_or_path", "")
    if isinstance(model, str):
        if kind is None:
            raise ConfigurationError(
                f"say what {model!r} is: args.scorer is 'policy' or 'reward-model'; or give a "
                "loaded model."
            )
        model = load_model(name, kind, num_labels=labels)
    kind_found = _kind_of(model, labels)
    if kind not in (None, kind_found):
        raise ConfigurationError(f"args.scorer is {kind!r}, and the model given is a {kind_found}.")
    if tokenizer is None and not name:
        raise ConfigurationError("a model made in memory needs its tokenizer (processing_class).")
    tokenizer = tokenizer or load_tokenizer(name)
    tokenizer.padding_side = "right"
    require_rows(model, tokenizer)
    whole_tables(base_of(model))
    if kind_found == "policy":
        _require_causal(model)
    elif not keep_padding or text_config(model).pad_token_id is None:
        ensure_pad_token(model, tokenizer, peft_config is not None or hasattr(model, "peft_config"))
    adapters.refuse_prompt_learning(*getattr(model, "peft_config", {}).values(), peft_config)
    new_adapter = False
    if peft_config is not None:
        model = adapters.below_adapter(model)
        given = adapters.probe(model) if kind_found == "policy" else None
        model = adapters.with_adapter(model, peft_config, kind_found)
        new_adapter = given is None or adapters.lies_below(model, given)
    model = never_packed(model)
    if kind_found == "policy":
        return Prepared(model, tokenizer, kind_found, False, new_adapter)
    if (head := reward_head(model)) is not None:
        head.float()  # a reward in half a precision has three digits
    prepared = Prepared(model, tokenizer, kind_found, not reads_causally(model), new_adapter)
    _require_blind_to_padding(prepared)
    return prepared


def _kind_of(model: Any, labels: int) -> ModelKind:
    """What a loaded model is, by its class; it has to have this number of labels."""
    inner = base_of(model)
    name = type(inner).__name__
    kind = kind_named([name])
    if kind is None:
        raise ConfigurationError(
            f"a {name} is neither a policy (AutoModelForCausalLM) nor a reward model "
            "(AutoModelForSequenceClassification, num_labels=1)."
        )
    if kind == "reward-model" and inner.config.num_labels != labels:
        raise ConfigurationError(
            f"{_wanted(labels)}; this {name} has {inner.config.num_labels}. Load it with "
            f"num_labels={labels}."
        )
    return kind


def reads_causally(model: Any) -> bool:
    """Whether a classifier reads the last token of a causal model.

    Its head is called `score` then, and there are language models of its architecture.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    inner = base_of(model)
    return hasattr(inner, "score") and inner.config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def _require_causal(model: Any) -> None:
    """Refuse a policy whose prediction of a token depends on the tokens behind it."""
    found = adapters.probe(model)
    if not adapters.close(found[0, 0], found[1, 0], adapters.rounding(model)):
        raise ConfigurationError(
            f"a {type(base_of(model)).__name__} that reads a text in both directions is no policy: "
            "it predicts tokens that it has seen. Name a causal language model."
        )


def _require_blind_to_padding(prepared: Prepared) -> None:
    """Refuse a reward model that reads the padding behind a text (XLNet, Nystroemformer, ConvBERT).

    What a text is worth would depend on the texts beside it.
    """
    model: Any = prepared.model
    device = model.get_input_embeddings().weight.device
    texts = [prepared.tokenizer(one).input_ids or [1] for one in ("yes no", "no", "a", "yes yes")]

    def scores(behind: int) -> Tensor:
        found = []
        for text in texts:
            ids = torch.tensor([text + [prepared.pad_id] * behind], device=device)
            mask = torch.tensor([[1] * len(text) + [0] * behind], device=device)
            found.append(model(input_ids=ids, attention_mask=mask if prepared.encoder else None))
        return torch.cat([one.logits.float() for one in found])

    with torch.no_grad(), mode(model), autocast(device, half_of(model)):
        alone, padded = scores(0), scores(9)
    if not adapters.close(padded, alone, 5 * adapters.rounding(model)):
        raise ConfigurationError(
            f"a {type(base_of(model)).__name__} reads the padding behind a text: its rewards would "
            "depend on which texts are read together. Take a model of another kind."
        )


def load_model(
    name: str, kind: ModelKind, *, beside: Collection[str] | None = None, **options: Any
) -> PreTrainedModel:
    """A sequence classifier with one label (or `num_labels`), or a causal language model.

    Args:
        name: a folder or a hub name.
        kind: `reward-model` or `policy`.
        beside: names of weights that an adapter brings: nothing else may be missing. None: a reward
            model's head may be, which is drawn at random to be trained.
        options: of transformers, such as `dtype`; float32 by default.

    Raises:
        ConfigurationError: it cannot be loaded, is no such model, or weights are missing.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    adapters.refuse_adapter_alone(name, kind)
    labels = options.pop("num_labels", 1)
    options = {"dtype": torch.float32, "output_loading_info": True} | options
    load: Callable[..., Any] = AutoModelForCausalLM.from_pretrained
    noun = "causal language model"
    if kind == "reward-model":
        _require_labels(name, labels)
        options["num_labels"] = labels
        load, noun = AutoModelForSequenceClassification.from_pretrained, "trained reward model"
    model, found = _load(load, name, "model", **options)
    missing = set(found["missing_keys"]) - set(beside or ())
    if kind == "reward-model" and beside is None:
        noun = f"{type(model).__name__} with a new head"
        # A head does not lie in the body, and a pooler there is part of what a head reads.
        body = f"{model.base_model_prefix}."
        missing = {m for m in missing if m.startswith(body) and "pooler" not in m.split(".")}
    if missing:
        raise ConfigurationError(
            f"{name} is no {noun}: it has no {min(missing)}, which would be drawn at random."
        )
    return never_packed(model)


def never_packed(model: Any) -> Any:
    """A model whose 4-bit weights stay as they are; any other model is left alone.

    On CPUs that multiply in bfloat16, bitsandbytes packs them in the first pass without gradient,
    and rounds there otherwise than in a pass with gradient: a step's two passes would disagree.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _wanted(labels: int) -> str:
    if labels == 1:
        return "a reward model has one label"
    return f"this general preference model has {labels} labels"


def _require_labels(name: str, labels: int) -> None:
    config = config_at(name)
    names = getattr(config, "architectures", None) or []
    classifier = any(one.endswith("ForSequenceClassification") for one in names)
    if classifier and config.num_labels != labels:
        raise ConfigurationError(
            f"{_wanted(labels)}; {name} is a classifier with {config.num_labels}. Take the model "
            "that it was made from."
        )


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer that lies beside a model.

    Raises:
        ConfigurationError: there is none, or it is not a fast one.
    """
    from transformers import AutoTokenizer

    tokenizer = _load(AutoTokenizer.from_pretrained, name, "tokenizer")
    if not tokenizer.is_fast:
        raise ConfigurationError(f"{name} has no fast tokenizer; only those are supported.")
    tokenizer.padding_side = "right"
    return tokenizer


def _load(loader: Callable[..., Any], name: str, noun: str, **options: Any) -> Any:
    require_finished(name)
    try:
        return loader(name, trust_remote_code=False, **options)
    except (SurefootError, MemoryError, ImportError):
        raise
    except Exception as error:  # a damaged file can end in any
        absent = "there is no such folder here, and none of that name could be had from the Hub"
        found = f"the folder holds no transformers {noun}, or a damaged one"
        raise ConfigurationError(
            f"cannot load the {noun} of {name!r}: {found if Path(name).exists() else absent} "
            f"({first_line(error)})"
        ) from error
