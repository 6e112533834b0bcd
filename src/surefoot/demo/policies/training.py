"""One seed of the policy part: a language model, and the policies that are trained from it.

A model is made and trained on the world's responses, good and bad, with TRL. From there every
method is trained on the same noisy pairs, against the same reference, and writes responses.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field

from surefoot.data import Preferences
from surefoot.data.rendering.messages import GAP
from surefoot.demo.methods import Method
from surefoot.demo.progress import DemoProgress, Record
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers.language.generation import continuations
from surefoot.scorers.language.law import SamplingLaw
from surefoot.worlds import TextWorld
from surefoot.worlds.language_model import (
    LanguageOptions,
    make_model,
    make_tokenizer,
    plain_copy,
    quiet_on_this_machine,
    train_supervised,
)
from surefoot.worlds.pool import PoolPrompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

#: Tokens that the model has positions for, at least: room for longer texts than its own.
POSITIONS = 256
#: Steps at the end of supervised training whose mean loss is reported.
_LAST = 20


class GenerationOptions(SamplingLaw):
    """How responses are written: by default from the policy as it is, without cutting its tail."""

    min_new_tokens: int = Field(24, ge=1)
    """Tokens before a response may end; an empty one would please a length-averse judge."""
    max_new_tokens: int = Field(160, ge=1)
    """Tokens at most; the world's longest response has fewer."""
    responses: int = Field(2, ge=1)
    """Responses to each prompt."""
    batch: int = Field(256, ge=1)
    """Responses written at a time."""


@dataclass(frozen=True)
class Completion:
    """One response."""

    prompt: str
    text: str
    tokens: int  #: the end token not counted
    finished: bool  #: it ended by itself


class PolicyOptions(Options):
    """The policy part: what is made, how long it is trained, and how it writes."""

    seeds: int = Field(3, ge=1)
    """Models, draws of training pairs and labels; every method is trained on each."""
    language: LanguageOptions = LanguageOptions()
    """The model and its supervised training."""
    beta: float = Field(0.1, gt=0)
    """Scale of the log-ratio to the reference."""
    learning_rate: float = Field(1e-3, gt=0)
    """Learning rate of preference training, at its highest; it falls linearly."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the pairs."""
    pairs_per_step: int = Field(64, ge=1)
    """Pairs that a risk looks at together, in one step."""
    micro_batch_pairs: int = Field(16, ge=1)
    """Pairs in a forward pass; changes no number."""
    writing: GenerationOptions = GenerationOptions()
    """How responses are written."""


@dataclass(frozen=True)
class _Base:
    """A supervised model, before preferences."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    loss: float


@dataclass(frozen=True)
class Seed:
    """A draw of everything that is random."""

    number: int
    options: PolicyOptions
    world: TextWorld
    pool: Preferences  #: every test response
    progress: DemoProgress

    def supervised(self, keep: Path | None) -> Record:
        """How the supervised training went, JSON-ready; the model is saved where that is asked."""
        if keep is not None:
            self._base.model.save_pretrained(keep)
            self._base.tokenizer.save_pretrained(keep)
        return {"loss": self._base.loss, "parameters": self._base.model.num_parameters()}

    def policy(self, method: Method) -> Record:
        """One policy's implicit rewards and responses, JSON-ready."""
        base, scored = self._base, None
        with (
            self.progress.timed("training policies"),
            warnings.catch_warnings(record=True) as given,
        ):
            # For the page: the validator's warnings, cuts, smaller batches.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            policy = self._trained(method)
        if method.objective is not None:
            with self.progress.timed("evaluating policies"):
                scored = self._scored(policy)
        with self.progress.timed("writing"):
            prompts = [prompt.text for prompt in self.world.prompts["test"]]
            writing = self.options.writing
            written = write_responses(policy, base.tokenizer, prompts, writing, self.number)
        return {
            "scored": scored,
            "written": [asdict(one) for one in written],
            "notes": list(dict.fromkeys(str(one.message) for one in given)),
        }

    @cached_property
    def _base(self) -> _Base:
        """A new model that has seen the world's training responses, both kinds."""
        with self.progress.timed("supervised training"):
            language, world = self.options.language, self.world
            examples = _texts(world.prompts["training"])
            tokenizer = make_tokenizer(
                (text for example in examples for text in example), language.vocabulary
            )
            pool = [both for some in world.prompts.values() for both in _texts(some)]
            longest = max(len(tokenizer(GAP.join(both))["input_ids"]) for both in pool) + 1
            prompts = max(len(tokenizer(prompt + GAP)["input_ids"]) for prompt, _ in pool)
            room = max(POSITIONS, longest, prompts + self.options.writing.max_new_tokens)
            model = make_model(tokenizer, language, room, self.number)
            with warnings.catch_warnings():  # TRL's, of other libraries
                warnings.simplefilter("ignore")
                logged = train_supervised(model, tokenizer, examples, language, self.number)
            return _Base(plain_copy(model), tokenizer, float(np.mean(logged[-_LAST:])))

    def _trained(self, method: Method) -> PreTrainedModel:
        """The base, trained on the pairs under the method's objective; the base itself stays."""
        from transformers import PrinterCallback

        from surefoot.training import PreferenceConfig, PreferenceTrainer

        base, options = self._base, self.options
        if method.objective is None:
            return base.model
        steps, rest = divmod(options.pairs_per_step, options.micro_batch_pairs)
        assert not rest
        with tempfile.TemporaryDirectory() as folder:
            trainer = PreferenceTrainer(
                model=plain_copy(base.model),
                args=PreferenceConfig(
                    output_dir=folder,
                    beta=options.beta,
                    learning_rate=options.learning_rate,
                    num_train_epochs=options.epochs,
                    per_device_train_batch_size=options.micro_batch_pairs,
                    gradient_accumulation_steps=steps,
                    max_length=base.model.config.max_position_embeddings,
                    warmup_steps=2,
                    seed=self.number,
                    **quiet_on_this_machine(),
                ),
                train_dataset=self.world.training(self.number).observed,
                processing_class=base.tokenizer,
                objective=Objective(**method.objective),
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return trainer.model

    def _scored(self, policy: PreTrainedModel) -> list[tuple[str, str, float]]:
        """Prompt, response and implicit reward of every test response."""
        from surefoot.scorers.language.loading import prepare_model
        from surefoot.scorers.language.model import LanguageModel
        from surefoot.scorers.language.options import PolicyScorer
        from surefoot.scorers.language.reference import ReferencePolicy

        base = self._base
        scorer = PolicyScorer(
            model="made in the run",
            beta=self.options.beta,
            max_length=base.model.config.max_position_embeddings,
            precision="float32",
        )
        model = LanguageModel(scorer, prepare_model(policy, base.tokenizer))
        base.model.to(model.engine.device)
        model.reference = ReferencePolicy.of(base.model, model.engine, live=False)
        rewards = model.raw_scores(self.pool)
        prompts, sides = self.pool.texts("prompt")[0], self.pool.texts("response")
        return [
            (prompt, sides[side][row], float(rewards[row, side]))
            for row, prompt in enumerate(prompts)
            for side in (0, 1)
        ]


def every_response(prompts: Iterable[PoolPrompt]) -> Preferences:
    """Every response of a pool once (an odd one twice), so that each is scored once."""
    rows = []
    for prompt in prompts:
        texts = [response.text for response in prompt.responses]
        for a, b in zip_longest(texts[::2], texts[1::2], fillvalue=texts[0]):
            rows.append({"prompt": prompt.text, "response_a": a, "response_b": b, "label": 0.5})
    return Preferences.from_rows(rows, "test responses")


def _texts(prompts: Iterable[PoolPrompt]) -> list[tuple[str, str]]:
    return [(prompt.text, response.text) for prompt in prompts for response in prompt.responses]


def write_responses(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    options: GenerationOptions,
    seed: int,
) -> list[Completion]:
    """Responses to every prompt, those to one prompt together.

    Padding and the beginning of a text are never written, its end not before the minimum.
    """
    asked = [prompt for prompt in prompts for _ in range(options.responses)]
    order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
    completions: dict[int, Completion] = {}
    torch.manual_seed(seed)
    for start in range(0, len(order), options.batch):
        rows = order[start : start + options.batch]
        given = [tokenizer(asked[i] + GAP)["input_ids"] for i in rows]
        for i, ids in zip(rows, continuations(model, tokenizer, given, options), strict=True):
            finished = ids[-1] == tokenizer.eos_token_id
            kept = ids[:-1] if finished else ids
            text = tokenizer.decode(kept, clean_up_tokenization_spaces=False)
            completions[i] = Completion(asked[i], text, len(kept), finished)
    return [completions[i] for i in range(len(asked))]
