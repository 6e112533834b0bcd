"""Responses drawn from a causal language model, by a law that is stated in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.pretrained import Tokenizer
from surefoot.scorers.language.adapters import close, rounding
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.language.precision import half_of
from surefoot.scorers.language.scores import autocast, base_of


def ends_of(model: Any, tokenizer: Tokenizer) -> list[int]:
    """Tokens that end a response: the tokenizer's, and those that the model names itself.

    Raises:
        ConfigurationError: there are none.
    """
    named = getattr(model.generation_config, "eos_token_id", None)
    own = {named} if isinstance(named, int) else set(named or [])
    found = sorted((own | {tokenizer.eos_token_id}) - {None})
    if not found:
        raise ConfigurationError("the tokenizer has no end token: no response would ever end.")
    return found


def banned_ids(
    tokenizer: Tokenizer, ends: Sequence[int], law: SamplingLaw, special: bool = False
) -> list[int]:
    """Tokens that are never written: the law's, and padding and the beginning if not `special`.

    Raises:
        ConfigurationError: a banned token that the tokenizer does not know.
    """
    own = {i for i in (tokenizer.pad_token_id, tokenizer.bos_token_id) if i is not None}
    never: set[Any] = set() if special else own - set(ends)
    for token in law.banned:
        known = tokenizer.convert_tokens_to_ids(token)
        if not isinstance(known, int) or known == tokenizer.unk_token_id:
            raise ConfigurationError(f"banned: the tokenizer knows no token {token!r}.")
        never.add(known)
    return sorted(never)


def response_text(tokenizer: Tokenizer, ids: Sequence[int], ends: Sequence[int]) -> str:
    """What was written, without its end token and the space before it."""
    kept = list(ids[:-1] if ids and ids[-1] in ends else ids)
    text = tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return str(text).lstrip()


def continuations(
    model: Any,
    tokenizer: Tokenizer,
    openings: Sequence[Sequence[int]],
    law: SamplingLaw,
    special: bool = False,
) -> list[list[int]]:
    """New tokens after each sequence, up to and with its end token, by torch's own generator.

    A law that alters nothing (temperature 1, all of the distribution, no least number of tokens,
    no banned token, and `special`) is the model's own: a response is drawn with the probability
    that :func:`~surefoot.scorers.language.scores.log_probs` gives it, or its beginning where it is
    cut.

    Args:
        model: a causal language model.
        tokenizer: its own.
        openings: token ids to go on from.
        law: how.
        special: padding and the beginning of a text may be written, where the model would.

    Raises:
        ConfigurationError: a banned token that the tokenizer does not know, or a model from which
            transformers draws by another law than its own.
    """
    lengths = sorted({len(one) for one in openings})
    alike, pad = len(lengths) == 1, _pad_of(model, tokenizer)
    if _draws_as_it_says(model, pad, alike):
        return _continued(model, tokenizer, openings, law, special)
    if alike:
        raise ConfigurationError(
            f"transformers draws from a {type(base_of(model)).__name__} by other probabilities "
            "than those that it gives a whole text: what it writes would be of another law."
        )
    written: dict[int, list[int]] = {}
    for length in lengths:
        rows = [row for row, one in enumerate(openings) if len(one) == length]
        drawn = continuations(model, tokenizer, [openings[row] for row in rows], law, special)
        written |= zip(rows, drawn, strict=True)
    return [written[row] for row in range(len(openings))]


def _continued(
    model: Any,
    tokenizer: Tokenizer,
    openings: Sequence[Sequence[int]],
    law: SamplingLaw,
    special: bool,
) -> list[list[int]]:
    """New tokens after each sequence, all in one batch."""
    from transformers import GenerationConfig

    ends, pad = ends_of(model, tokenizer), _pad_of(model, tokenizer)
    ids, mask = _padded(openings, pad, model.device)
    config = GenerationConfig(
        do_sample=True,
        temperature=law.temperature,
        top_k=0,
        top_p=law.top_p,
        min_new_tokens=law.min_new_tokens,
        max_new_tokens=law.max_new_tokens,
        suppress_tokens=banned_ids(tokenizer, ends, law, special) or None,
        pad_token_id=pad,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=ends,
    )
    model.eval()
    with torch.no_grad(), _no_defaults(model), finite_probabilities():
        whole = model.generate(ids, attention_mask=mask, generation_config=config)
    new: list[list[int]] = whole[:, ids.shape[1] :].tolist()
    stops = (next((i for i, one in enumerate(row) if one in ends), len(row)) for row in new)
    return [row[: stop + 1] for row, stop in zip(new, stops, strict=True)]


def require_padding_in_front(model: Any, tokenizer: Tokenizer) -> None:
    """Refuse a model that takes padding in front of a text for text, where others pad so.

    Raises:
        ConfigurationError: what it writes in a batch would be of another law than what is trained.
    """
    if not _draws_as_it_says(model, _pad_of(model, tokenizer), alike=False):
        raise ConfigurationError(
            f"a {type(base_of(model)).__name__} reads the padding in front of shorter prompts, "
            "which TRL puts there: it cannot be trained online. Use DRPO (objective: {kind: "
            "doubly-robust}), which draws for prompts of one length at a time."
        )


def _pad_of(model: Any, tokenizer: Tokenizer) -> int:
    pad = tokenizer.pad_token_id
    return ends_of(model, tokenizer)[0] if pad is None else int(pad)


def _padded(
    openings: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Token ids with padding in front, and the mask that says so, both (n, T)."""
    width = max(len(one) for one in openings)
    ids = [[pad] * (width - len(one)) + list(one) for one in openings]
    mask = [[0] * (width - len(one)) + [1] * len(one) for one in openings]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


_DRAWS: WeakKeyDictionary[Any, dict[bool, bool]] = WeakKeyDictionary()


def _draws_as_it_says(model: Any, pad: int, alike: bool) -> bool:
    """Whether tokens written in a batch have the probabilities that a text by itself gives them.

    In transformers, recurrent models (RecurrentGemma) take padding in front for text, some others
    count positions from it, and RWKV mixes up the rows of a batch. Seen by trying, once for a
    model, with two tokens after each of two texts, whose lengths are `alike` or not.
    """
    from transformers import GenerationConfig

    known = _DRAWS.setdefault(model, {})
    if alike not in known:
        tokens = [one for one in range(1, 6) if one != pad]
        texts = [tokens[0 if alike else 1 : 3], tokens[1:4]]
        ids, mask = _padded(texts, pad, model.device)
        law = GenerationConfig(
            max_new_tokens=2, output_logits=True, return_dict_in_generate=True, pad_token_id=pad
        )
        model.eval()
        with torch.no_grad(), _no_defaults(model), autocast(model.device, half_of(model)):
            output = model.generate(ids, attention_mask=mask, generation_config=law)
            shown = nn.functional.pad(mask, (0, 2), value=1)
            alone = [
                model(input_ids=row[at.bool()][None], use_cache=False).logits[0, -3:-1]
                for row, at in zip(output.sequences, shown, strict=True)
            ]
        drawn, says = torch.stack(output.logits, 1).float(), torch.stack(alone).float()
        known[alike] = close(drawn, says, 5 * rounding(model))
    return known[alike]


@contextmanager
def finite_probabilities() -> Iterator[None]:
    """What torch says of a model without probabilities to draw from, as one message.

    Raises:
        SurefootError: the model gives probabilities that are not finite.
    """
    try:
        yield
    except RuntimeError as error:
        if "probability tensor" not in str(error):
            raise
        raise SurefootError(
            "the model gives probabilities that are not finite, and nothing can be drawn from it: "
            "in training, the run has diverged. Lower the learning rate."
        ) from error


@contextmanager
def _no_defaults(model: Any) -> Iterator[None]:
    """Keep what the model's own generation configuration would add, such as penalties, out."""
    from transformers import GenerationConfig

    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own
