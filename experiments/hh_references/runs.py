"""The settings of the experiment, its data, and what it keeps: draws, checks, fitted models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from experiments.common import embedding
from experiments.common.hh import flipped, load_sources
from experiments.common.small_model import SmallModel, make_small_model
from experiments.common.work import Work
from surefoot.data import Preferences
from surefoot.data.references import references_of
from surefoot.data.splits import split
from surefoot.data.text import Message
from surefoot.evaluation.pairs.judgments import judge
from surefoot.nuisance import Conditions, with_auxiliary
from surefoot.nuisance.check import check_references
from surefoot.nuisance.fitted import FittedModel
from surefoot.nuisance.reference import LanguageModelReference
from surefoot.nuisance.sampling import distinct_prompts, draw
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingScorer
from surefoot.statistics import log_loss

#: Auxiliary probabilities are cut to this and its opposite, as `surefoot sample` does.
CLIP = 0.02
#: Part of the key of what is kept.
VERSION = 1

#: The small model's conversations: HH's form, with an end after every response.
TEMPLATE = (
    "{{ bos_token }}"
    "{% for turn in messages %}"
    "{% if turn['role'] == 'assistant' %}"
    "{{ '\\n\\nAssistant: ' + turn['content'] + eos_token }}"
    "{% else %}{{ '\\n\\nHuman: ' + turn['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}{% endif %}"
)

Auxiliary = Literal["fitted", "useless"]
#: A general preference model fitted on the same labels by folds, or 1/2 for every pair.
AUXILIARIES: tuple[Auxiliary, ...] = ("fitted", "useless")
Kind = Literal["language model", "other prompts"]
#: Where the references of VRPO come from.
KINDS: tuple[Kind, ...] = ("language model", "other prompts")


class Method(embedding.Method):
    """One row of a table."""

    references: Kind | None = None
    """Whose responses the control variate sees."""
    auxiliary: Auxiliary = "fitted"
    """Who judges them."""


class Settings(Options):
    """The experiment."""

    parts: tuple[str, ...] = Field(min_length=1)
    """Sources, each on its own; the language model is trained on the rest of all of them."""
    limit: int | None = None
    """Pairs of each source that are read; null for all."""
    pairs: int = Field(ge=20)
    """Of each part: those that get references, are trained on and tested on."""
    prompt_characters: int = Field(ge=50)
    """Longer prompts get no references: they would not fit what the small model has learned."""
    small_model: SmallModel = SmallModel()
    reference: dict[str, Any]
    """Options of the draws, beside the model."""
    cooler: float = Field(0.7, gt=0, lt=1)
    """Temperature of the right model under the wrong law."""
    checks: int = Field(5, ge=1)
    """Draws on which every check is repeated."""
    seeds: int = Field(10, ge=3)
    held_out: float = Field(0.2, gt=0, lt=1)
    flip_rates: tuple[float, ...] = (0.0, 0.2)
    auxiliary: dict[str, Any] = Field({})
    """Options of the auxiliary model's scorer."""
    folds: int = Field(5, ge=2)
    """Of its cross-fitting."""
    methods: dict[str, Method]

    def of(self, auxiliary: Auxiliary) -> dict[str, Method]:
        """The methods with this auxiliary model."""
        return {n: one for n, one in self.methods.items() if one.auxiliary == auxiliary}


@dataclass(frozen=True)
class Part:
    """A part of HH with all that may stand for its reference policy.

    Attributes:
        pairs: N comparisons whose text the language model has not seen.
        drawn: 2 M responses of the language model to each prompt.
        cooler: two of its responses at a lower temperature.
        others: 2 M responses of HH to other prompts, none of which is in `pairs`.
        unfinished: share of the draws that were cut at the largest number of tokens.
    """

    pairs: Preferences
    drawn: list[list[list[Message]]]
    cooler: list[list[list[Message]]]
    others: list[list[list[Message]]]
    unfinished: float


def written(messages: Sequence[Message]) -> str:
    """A conversation as :data:`TEMPLATE` writes it, without the beginning."""
    speakers = {"assistant": ("Assistant", "</s>")}
    turns = [(*speakers.get(t["role"], ("Human", "")), t["content"]) for t in messages]
    return "".join(f"\n\n{name}: {content}{end}" for name, end, content in turns)


def prepare(settings: Settings, work: Work) -> tuple[dict[str, Part], dict[str, Any]]:
    """The parts with their references, and how the training of the small model went.

    Some pairs of each part, with short prompts, are set aside. The model is trained on both
    responses of all other pairs: it estimates what wrote HH, whatever was preferred. No opening
    turn is on both sides.
    """
    sides: dict[str, tuple[Preferences, Preferences]] = {}
    for name, pairs in load_sources(settings.parts, settings.limit).items():
        order = np.random.default_rng([1, len(pairs)]).permutation(len(pairs))
        short = [len("".join(t["content"] for t in p)) for (p,) in pairs.read("prompt")]
        rows = [i for i in order.tolist() if short[i] <= settings.prompt_characters]
        aside = sorted(rows[: settings.pairs])
        opening = pairs.strings("group")
        taken = {opening[i] for i in aside}
        rest = [i for i in range(len(pairs)) if opening[i] not in taken]
        sides[name] = pairs.select(aside), pairs.select(rest)
    texts = [
        written([*prompt, *response])
        for name in settings.parts
        for prompt, *both in sides[name][1].read("prompt", "response_a", "response_b")
        for response in both
    ]
    order = np.random.default_rng(2).permutation(len(texts)).tolist()
    texts = [texts[i] for i in order]
    unseen = [
        written([*prompt, *response])
        for name in settings.parts
        for prompt, response in sides[name][0].read("prompt", "response_a")
    ]
    folder = work.model([settings.small_model.model_dump(), texts])
    described = make_small_model(texts, unseen, settings.small_model, 0, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    parts = {n: _with_draws(settings, *sides[n], work, folder) for n in settings.parts}
    return parts, described


def _with_draws(
    settings: Settings, pairs: Preferences, rest: Preferences, work: Work, folder: Path
) -> Part:
    """Draw from the model in the folder; draws are kept as they come, and gone on with."""
    source = LanguageModelReference(**{**settings.reference, "model": str(folder)})
    law = source.law.model_copy(update={"temperature": settings.cooler})
    cold = source.model_copy(update={"law": law, "pairs": 1})
    prompts, keys = distinct_prompts(pairs), pairs.prompt_keys().tolist()
    found = []
    for seed, one in enumerate((source, cold)):
        options = [one.model_dump(mode="json"), list(prompts)]
        drawn = draw(one, prompts, seed, work.model(options).with_suffix(".jsonl"))
        found.append(([[_said(t) for t in drawn.responses[key]] for key in keys], drawn.unfinished))
    rng = np.random.default_rng([3, len(rest)])
    pool = [r for both in rest.read("response_a", "response_b") for r in both]
    others = [
        [pool[i] for i in rng.choice(len(pool), 2 * source.pairs, replace=False)] for _ in keys
    ]
    return Part(pairs, found[0][0], found[1][0], others, found[0][1])


def _said(text: str) -> list[Message]:
    return [Message(role="assistant", content=text)]


def checks(part: Part, k: int) -> dict[str, dict[str, Any]]:
    """The k-th round of reference checks: what stands as data, against what as references."""
    rng = np.random.default_rng([4, k])
    rows = list(part.pairs.read("prompt", "response_a", "response_b", "label", "conversational"))
    of_draws = [rng.permutation(len(drawn)).tolist() for drawn in part.drawn]
    drawn = [[d[i] for i in at] for d, at in zip(part.drawn, of_draws, strict=True)]
    others = [[o[i] for i in at] for o, at in zip(part.others, of_draws, strict=True)]
    turned = rng.random(len(rows)) < 0.5
    sides = [(b, a) if t else (a, b) for (_, a, b, _, _), t in zip(rows, turned, strict=True)]
    ranked = [(b, a) if label < 0.5 else (a, b) for _, a, b, label, _ in rows]
    cases = {
        "HH | the language model": (sides, drawn),
        "HH | HH's responses to other prompts": (sides, others),
        "HH, either response | the other one": _first_and_second(sides),
        "HH, chosen | rejected": _first_and_second(ranked),
        "half HH, half the language model | the language model": (
            [(own[0], theirs[2]) for own, theirs in zip(sides, drawn, strict=True)],
            drawn,
        ),
        "the language model | the same, cooler": (drawn, part.cooler),
        "the language model | the same": ([d[2:4] for d in drawn], drawn),
    }
    found = {}
    for title, (data, references) in cases.items():
        made = [
            {
                "prompt": row[0],
                "response_a": first,
                "response_b": second,
                "label": 0.5,
                "conversational": row[4],
                "references": theirs[:2],
            }
            for row, (first, second, *_), theirs in zip(rows, data, references, strict=True)
        ]
        found[title] = check_references(Preferences.from_rows(made, title)).to_dict()
    return found


def _first_and_second(sides: Sequence[Sequence[Any]]) -> tuple[list[Any], list[Any]]:
    """The first of each pair against the second, once: the check goes as far as the references."""
    return [(a, a) for a, _ in sides], [[b] for _, b in sides]


def fit_all(
    settings: Settings, part: Part, seed: int, rate: float, auxiliary: Auxiliary
) -> dict[str, Any]:
    """The methods of one auxiliary model on one split with one draw of flips.

    Per-pair outcomes on the held-out pairs.
    """
    both = [[*d, *o] for d, o in zip(part.drawn, part.others, strict=True)]
    count = len(part.drawn[0])
    blank = [[0.5] * count] * len(both)  # consecutive pairs: M of each kind
    pairs = part.pairs.with_columns(references=both, reference_auxiliary=blank)
    train, test = split(pairs, settings.held_out, by="group", seed=seed)
    noisy = flipped(train, rate, seed)
    openings = sorted(set(pairs.strings("group")))
    found: dict[str, Any] = {"clusters": [openings.index(one) for one in test.strings("group")]}
    if auxiliary == "fitted":
        noisy, found["auxiliary"] = _judged(settings, noisy, seed)
    else:
        noisy = noisy.with_columns(auxiliary=[0.5] * len(noisy))
    for title, method in settings.of(auxiliary).items():
        seen = noisy
        if method.references is not None:
            first = KINDS.index(method.references)
            own = slice(first * count, (first + 1) * count)
            half = slice(first * count // 2, (first + 1) * count // 2)
            seen = noisy.with_columns(
                references=[r[own] for (r,) in noisy.read("references")],
                reference_auxiliary=[c[half] for (c,) in noisy.read("reference_auxiliary")],
            )
        scorer, objective = EmbeddingScorer(**method.scorer), Objective(**method.objective)
        model = embedding.fitted(seen, scorer, objective, seed)
        probabilities = model.probabilities(test)
        coefficient = model.report_.coefficient
        found[title] = {
            "right": judge(model.scores(test), test, probabilities).correct.tolist(),
            "losses": log_loss(probabilities, test.labels).tolist(),
            "coefficient": None if coefficient is None else coefficient.value,
        }
    return found


def _judged(settings: Settings, noisy: Preferences, seed: int) -> tuple[Preferences, Any]:
    """The pairs with what a fitted model says of them and of their references; its figure."""
    model = FittedModel(scorer=EmbeddingScorer(**settings.auxiliary), folds=settings.folds)
    references = references_of(noisy)
    judged = model.judge(noisy, references, Conditions(seed=seed))
    made = with_auxiliary(noisy, references, judged, CLIP)
    return made, judged.figures["log_loss_less_bradley_terry"]
