"""Where reference responses come from: a pool that is known to be all, a column, or a model."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from surefoot.data.text import Message, to_text
from surefoot.errors import DataError
from surefoot.options import READS, Member
from surefoot.scorers.language.law import SamplingLaw

if TYPE_CHECKING:
    from surefoot.data.schema import Preferences

Pairs = Literal["consecutive", "all"]
Responses = list[list[Message]]


@dataclass(frozen=True)
class Collected:
    """Reference responses."""

    responses: list[Responses]  #: of each of N rows
    law: str | None  #: how they were drawn, for the column `reference_law`; None: as the data say
    figures: dict[str, Any] = field(default_factory=dict)  #: JSON-ready
    notes: tuple[str, ...] = ()  #: sentences for the user


class ReferenceSource(Member, slot="reference"):
    """Draws or collects responses of the reference policy."""

    checked: ClassVar[bool] = True
    """Whether it makes sense to ask if the data's responses look like these."""

    @property
    @abstractmethod
    def pairing(self) -> Pairs:
        """Which of a prompt's responses are compared."""

    def usable(self, pairs: Preferences, say: Callable[[str], None]) -> Preferences:
        """Comparisons to whose prompts the source can respond; `say` gets a line on the others."""
        del say
        return pairs

    @abstractmethod
    def collect(
        self, pairs: Preferences, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Collected:
        """Responses for N comparisons; what takes long is kept in the folder, and resumed."""


class PoolReference(ReferenceSource, kind="pool"):
    """All distinct responses that the data hold for a prompt: the reference policy draws from them.

    Then the expectation over the reference policy is a sum over all distinct pairs, without noise.
    """

    checked = False  # they are the same responses

    @property
    def pairing(self) -> Pairs:
        """Every pair of the pool, for the whole expectation."""
        return "all"

    def collect(
        self, pairs: Preferences, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Collected:
        """The pool of each row's prompt, in order of appearance.

        Raises:
            DataError: no prompt has more than one pair.
        """
        from surefoot.data.references import POOL

        del seed, folder
        pools: dict[int, dict[str, list[Message]]] = {}
        keys = pairs.prompt_keys().tolist()
        for key, both in zip(keys, pairs.read("response_a", "response_b"), strict=True):
            for response in both:
                pools.setdefault(key, {}).setdefault(to_text(response), response)
        sizes = [len(pool) for pool in pools.values()]
        alone = sum(size < 3 for size in sizes)
        if alone == len(sizes) or min(sizes) < 2:
            raise DataError(
                f"{pairs.name}: {alone} of {len(sizes)} prompts have no more than two responses: a "
                "pool of them is the pair itself, and the control variate is exactly 0. Draw "
                "references from the language model that wrote the responses (reference: "
                "{kind: language-model, ...})."
            )
        say(f"reference: pools of {min(sizes)} to {max(sizes)} responses for {len(pools)} prompts")
        note = f"{alone} of {len(sizes)} prompts have two responses only: nothing is gained there."
        return Collected(
            [list(pools[key].values()) for key in keys],
            POOL,
            {"prompts": len(sizes), "smallest_pool": min(sizes), "largest_pool": max(sizes)},
            (note,) if alone else (),
        )


class GivenReference(ReferenceSource, kind="column"):
    """The data bring their own, in the column `references`."""

    compare: Pairs = "consecutive"
    """Which pairs of a prompt's responses are compared."""

    @property
    def pairing(self) -> Pairs:
        """Which of a prompt's responses are compared with each other."""
        return self.compare

    def collect(
        self, pairs: Preferences, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Collected:
        """Responses in the column `references`.

        Raises:
            DataError: it is absent in some row, or does not make pairs.
        """
        del seed, folder, say
        column = [responses for (responses,) in pairs.read("references")]
        for row, responses in enumerate(column):
            few = len(responses or []) < 2
            if few or (self.compare == "consecutive" and len(responses) % 2):
                raise DataError(
                    f"{pairs.name}, row {row}: 'references' holds {len(responses or [])} "
                    "response(s); pairs take at least 2, and consecutive ones an even number."
                )
        return Collected(column, None)


class LanguageModelReference(ReferenceSource, kind="language-model"):
    """Draws 2 M responses to each prompt from a causal language model."""

    model: Annotated[str, READS] = Field(min_length=1)
    """A folder or a hub name; the model that the data's responses were drawn from."""
    pairs: int = Field(4, ge=1)
    """M: pairs for each prompt, of 2 M responses."""
    law: SamplingLaw = SamplingLaw()
    """How responses are drawn; the same as the data's responses were."""
    compare: Pairs = "consecutive"
    """M independent pairs, or all M (2 M - 1) pairs of the 2 M responses: less noise and nothing
    more to write, but more to train on for a language model."""
    batch: int = Field(64, ge=1)
    """Responses written at a time."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """Library that writes the responses."""

    @property
    def pairing(self) -> Pairs:
        """Which of a prompt's responses are compared with each other."""
        return self.compare

    def usable(self, pairs: Preferences, say: Callable[[str], None]) -> Preferences:
        """Comparisons whose prompts the chat template can write.

        Raises:
            DataError: it cannot write most.
        """
        from surefoot.nuisance.sampling import PromptReader
        from surefoot.scorers.language.loading import load_tokenizer
        from surefoot.scorers.trained import readable

        return readable([PromptReader(load_tokenizer(self.model))], pairs, say)

    def collect(
        self, pairs: Preferences, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Collected:
        """Draws for every distinct prompt; `references.jsonl` in the folder is gone on with."""
        from surefoot.nuisance.sampling import REFERENCES, distinct_prompts, draw

        prompts = distinct_prompts(pairs)
        say(f"reference: {2 * self.pairs} responses to each of {len(prompts)} prompts")
        drawn = draw(self, prompts, seed, folder / REFERENCES)
        responses = [
            [[Message(role="assistant", content=text)] for text in drawn.responses[key]]
            for key in pairs.prompt_keys().tolist()
        ]
        cut = f"{drawn.unfinished:.0%} of the references reached {self.law.max_new_tokens} tokens."
        return Collected(
            responses,
            json.dumps(drawn.law, sort_keys=True),
            {"law": drawn.law, "unfinished_share": drawn.unfinished},
            (cut,) if drawn.unfinished > 0.05 else (),
        )
