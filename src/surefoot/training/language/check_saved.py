"""A saved reward model against plain transformers: the same scores, or the run is no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.errors import SurefootError
from surefoot.scorers.language.adapters import whole_where_not_quantised
from surefoot.scorers.language.loading import never_packed
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.scores import mode, whole_head
from surefoot.scorers.language.vocabulary import text_config

#: Pairs whose scores are compared.
_COMPARED = 8


def check_saved(folder: Path, model: LanguageModel, preferences: Preferences) -> tuple[str, ...]:
    """Compare a reward model's scores with those of plain transformers on the saved folder.

    The trained model reads each text alone, the saved one all of them padded together: a head that
    was not saved, or padding that is mistaken for text, shows.

    Returns:
        Sentences for those who load the folder with other programs.

    Raises:
        SurefootError: they differ by more than rounding.
    """
    from transformers import AutoTokenizer

    read = model.prepared
    tokens = tokenise(
        preferences.select(np.arange(min(len(preferences), _COMPARED))),
        read.tokenizer,
        model.max_length,
        keep_end=read.encoder,
    )
    pairs = tokens.read(np.arange(len(tokens)))
    texts = [prompt + response for prompt, *both in pairs for response in both]
    plain = _plain(folder, model)
    device = next(read.model.parameters()).device
    tokenizer = AutoTokenizer.from_pretrained(folder)
    notes: tuple[str, ...] = ()
    text = text_config(plain)
    if text.pad_token_id != tokenizer.pad_token_id:
        # PEFT reads the configuration of the base, where our pad token is not.
        text.pad_token_id = tokenizer.pad_token_id
        notes = (
            "the base's configuration has another pad token or none: who loads the adapter with "
            f"PEFT alone sets model.config.pad_token_id = {tokenizer.pad_token_id} afterwards.",
        )
    padded = tokenizer.pad({"input_ids": texts}, return_tensors="pt").to(device)
    with torch.no_grad(), mode(read.model), whole_head(read.model):
        ours = torch.stack([read.model(torch.tensor([t], device=device)).logits[0] for t in texts])
        theirs = plain.to(device)(**padded).logits
    worst = float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1.0))
    exact = model.scorer.load_options["dtype"] == torch.float32
    if not worst <= (1e-3 if exact else 0.05):
        raise SurefootError(
            f"the model saved in {folder} gives other scores than the one trained (by "
            f"{worst:.2g}): do not use it."
        )
    return notes


def _plain(folder: Path, model: LanguageModel) -> Any:
    """The folder as other programs load it."""
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification

    options = {"num_labels": 1, **model.scorer.load_options}
    if model.scorer.adapter is None:
        return AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()
    adapted = AutoPeftModelForSequenceClassification.from_pretrained(folder, **options).eval()
    return never_packed(whole_where_not_quantised(adapted))
