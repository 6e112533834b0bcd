"""Frozen encoders: any transformers encoder or causal model, pooled to one vector per text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm.auto import tqdm

from surefoot.data.rendering.embedding_texts import Side, cut_texts
from surefoot.errors import ConfigurationError, SurefootError, first_line
from surefoot.pretrained import PreTrainedConfig, PreTrainedModel, Tokenizer
from surefoot.scorers.embeddings.cache import EmbeddingCache, Vector, token_key
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.scorers.language.architecture import is_causal, positions_in, require_rows
from surefoot.scorers.named import folder_of
from surefoot.scorers.processor import has_bfloat16

Embeddings = npt.NDArray[np.float32]

TOKENS_PER_BATCH = 8192
TEXTS_PER_SAVE = 32_768  # what an interrupted run loses at most


@dataclass
class Encoder:
    """A loaded encoder with its cache on disk."""

    options: EncoderOptions = field(default_factory=EncoderOptions)
    #: How many texts of the last :meth:`embed` were longer than :attr:`limit`.
    truncated: int = field(default=0, init=False)
    _tokenizer_as_loaded: str = field(default="", init=False, repr=False)
    _drawn: frozenset[str] = field(default=frozenset(), init=False, repr=False)

    def embed(
        self, texts: Sequence[str], keep: Side = "left", description: str = "embedding"
    ) -> Embeddings:
        """Unit vectors (n, D) of texts, of which the end `keep` survives truncation.

        Each distinct text is computed once.
        """
        cache = EmbeddingCache(f"{self.key}-{keep}")
        known = cache.get(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        starts = range(0, len(missing), TEXTS_PER_SAVE)
        for part, start in enumerate(starts, 1):
            some = missing[start : start + TEXTS_PER_SAVE]
            of = f" ({part} of {len(starts)})" if len(starts) > 1 else ""
            known |= self._compute(some, keep, cache, description + of)
        self.truncated = sum(known[text][1] > self.limit for text in texts)
        return np.stack([known[text][0] for text in texts])

    @cached_property
    def key(self) -> str:
        """A hash of everything the vectors depend on: weights, tokenizer, options."""
        digest = hashlib.blake2b(digest_size=16)
        options = self.options.model_dump(exclude={"name"})
        options |= {"pooling": self.pooling, "precision": str(self.dtype)}
        digest.update(json.dumps(options, sort_keys=True).encode())
        where_from = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
        config = self.model.config.to_dict()
        config = {name: one for name, one in config.items() if name not in where_from}
        digest.update(json.dumps(config, sort_keys=True, default=str).encode())
        digest.update(self._tokenizer_as_loaded.encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            if name in self._drawn:  # at random, each time, and not used
                continue
            digest.update(name.encode())
            digest.update(tensor.contiguous().view(torch.uint8).cpu().numpy().data)
        return digest.hexdigest()

    @cached_property
    def path(self) -> str:
        """Where the encoder is loaded from.

        Raises:
            ConfigurationError: it is not on this machine.
        """
        return folder_of(self.options.name)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The encoder's fast tokenizer, padding on the right."""
        from transformers import AutoTokenizer

        tokenizer = self._load(AutoTokenizer.from_pretrained)
        tokenizer.padding_side = "right"
        if tokenizer.pad_token is None:  # masked out and behind the text: any token will do
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer_as_loaded = tokenizer.backend_tokenizer.to_str()  # truncation becomes part
        return tokenizer

    @cached_property
    def config(self) -> PreTrainedConfig:
        """The encoder's configuration, for which no weight is read."""
        from transformers import AutoConfig

        return self._load(AutoConfig.from_pretrained)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The encoder, in evaluation mode and in its precision.

        Raises:
            ConfigurationError: it cannot be loaded, weights are missing, its tokenizer has tokens
                that it has not, or it reads the padding behind a text.
        """
        import transformers as hf

        config = self.config
        alone = config.is_encoder_decoder and type(config) in hf.MODEL_FOR_TEXT_ENCODING_MAPPING
        load = (hf.AutoModelForTextEncoding if alone else hf.AutoModel).from_pretrained
        model, found = self._load(load, dtype=self.dtype, output_loading_info=True)
        self._drawn = frozenset(found["missing_keys"])
        missing = {name for name in self._drawn if "pooler" not in name.split(".")}
        if missing:
            raise ConfigurationError(
                f"the encoder {self.options.name!r} has no {min(missing)}, which would be drawn at "
                f"random ({len(missing)} weights are missing): its file is not that of a "
                f"{type(model).__name__}."
            )
        model.eval()
        require_rows(model, self.tokenizer)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        text = self.tokenizer("yes no").input_ids or [1]
        with torch.inference_mode():
            (own,), (beside, _) = (self._pool(m, model) for m in ([text], [text, text * 4]))
        if float((own - beside).norm()) > (1e-3 if self.dtype == torch.float32 else 0.05):
            raise ConfigurationError(
                f"the encoder {self.options.name!r}, a {type(model).__name__}, reads the padding "
                "behind a text: its vectors would depend on which texts are read together. Name "
                "an encoder of another kind."
            )
        return model

    @cached_property
    def pooling(self) -> str:
        """The pooling in force."""
        if self.options.pooling != "auto":
            return self.options.pooling
        return "last" if is_causal(self.config) else "mean"

    @property
    def dtype(self) -> torch.dtype:
        """The precision in force."""
        if self.options.precision != "auto":
            return torch.float32 if self.options.precision == "float32" else torch.bfloat16
        return torch.bfloat16 if has_bfloat16() else torch.float32

    @cached_property
    def limit(self) -> int:
        """Tokens kept of a text: `max_length`, or as many as the model has positions."""
        return min(self.options.max_length, positions_in(self.config))

    def _load(self, loader: Callable[..., Any], **options: Any) -> Any:
        try:
            return loader(self.path, trust_remote_code=False, **options)
        except (OSError, ValueError) as error:
            where = "folder" if Path(self.path).exists() else "folder or reachable hub name"
            raise ConfigurationError(
                f"cannot load the encoder {self.options.name!r}: not a {where} with a transformers "
                f"model and tokenizer ({first_line(error)})"
            ) from None

    def _compute(
        self, texts: list[str], keep: Side, cache: EmbeddingCache, description: str
    ) -> dict[str, tuple[Vector, int]]:
        """Embed and save texts: vector and number of tokens of each."""
        cut, lengths = cut_texts(self.tokenizer, texts, self.limit, keep)
        blank = [self.tokenizer.pad_token_id]  # some tokenizers make nothing of an empty text
        cut = [ids or blank for ids in cut]
        keys = [token_key(ids) for ids in cut]
        vectors = cache.known_tokens(keys)
        new = {key: ids for key, ids in zip(keys, cut, strict=True) if key not in vectors}
        vectors |= zip(new, self.forward(list(new.values()), description), strict=True)
        cache.put(texts, lengths, keys, [vectors[key] for key in keys])
        # Another process may have been first, with batches of other shapes: all take its vectors.
        vectors |= cache.known_tokens(list(new))
        pairs = zip((vectors[key] for key in keys), lengths, strict=True)
        return dict(zip(texts, pairs, strict=True))

    @torch.inference_mode()
    def forward(self, tokens: Sequence[list[int]], description: str = "embedding") -> Embeddings:
        """Unit vectors (n, D) of token ids, in batches of like length; nothing is cached.

        Raises:
            SurefootError: a vector is not finite.
        """
        order = sorted(range(len(tokens)), key=lambda i: -len(tokens[i]))  # longest: fails early
        vectors = np.empty((len(tokens), self.model.config.hidden_size), dtype=np.float32)
        bar = tqdm(  # by tokens, which take the time
            total=sum(map(len, tokens)),
            desc=description,
            unit=" tokens",
            unit_scale=True,
            disable=None,
            leave=False,
        )
        with bar:
            while order:  # a batch at a time
                size = max(1, TOKENS_PER_BATCH // max(1, len(tokens[order[0]])))
                rows, order = order[:size], order[size:]
                pooled = self._pool([tokens[i] for i in rows], self.model)
                vectors[rows] = pooled.float().cpu().numpy()
                if not np.isfinite(vectors[rows]).all():
                    raise SurefootError(
                        f"the encoder {self.options.name!r} gives vectors that are not finite: its "
                        "weights are damaged, or too large for this precision (precision: float32)."
                    )
                bar.update(sum(len(tokens[i]) for i in rows))
        return vectors

    def _pool(self, tokens: list[list[int]], model: PreTrainedModel) -> Tensor:
        batch = self.tokenizer.pad({"input_ids": tokens}, return_tensors="pt").to(model.device)
        states = model(**batch).last_hidden_state.float()  # (B, T, D)
        mask = batch["attention_mask"]
        match self.pooling:
            case "mean":
                weights = mask[..., None].float()
                pooled = (states * weights).sum(1) / weights.sum(1)
            case "first":
                pooled = states[:, 0]
            case _:
                last = mask.sum(1) - 1
                pooled = states[torch.arange(len(tokens), device=states.device), last]
        return torch.nn.functional.normalize(pooled, dim=-1)


def load_encoder(options: EncoderOptions) -> Encoder:
    """The encoder for these options; the few last ones stay loaded."""
    return _loaded(options, file_stamps(options.name))


def file_stamps(place: str) -> tuple[tuple[str, int], ...]:
    """Names and times of change of the files in a folder; of a hub name, none."""
    path = Path(place)
    files = sorted(path.iterdir()) if path.is_dir() else []
    return tuple((file.name, file.stat().st_mtime_ns) for file in files)


@lru_cache(maxsize=2)
def _loaded(options: EncoderOptions, stamps: tuple[tuple[str, int], ...]) -> Encoder:
    return Encoder(options)
