"""The policy part: a small language model, trained in the run, then preferences, plain and robust.

For each seed a model is made and trained on the world's responses, good and bad, with TRL. From
there every method is trained on the same noisy pairs, against the same reference, and writes
responses, which the world judges.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from surefoot.data import Preferences
from surefoot.data.rendering.messages import GAP
from surefoot.demo.clock import Clock
from surefoot.demo.methods import Method
from surefoot.demo.parts import Parts
from surefoot.demo.policies.figures import Outcomes, Scored, rows_of
from surefoot.demo.policies.methods import policy_methods
from surefoot.demo.policies.result import PolicyResult
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.worlds import TextWorld
from surefoot.worlds.generation import Completion, GenerationOptions, write_responses
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

    from surefoot.scorers.language.model import LanguageModel

#: What to type where TRL is absent.
WITHOUT_TRL = "TRL is not installed: pip install 'surefoot[encoder,trl]'"

#: Questions on one topic: in the minute there is, a model of this size learns the sentences but not
#: (in pilot runs with all five) to tell by the question which topic's advice is asked for.
WORLD = TextWorld(
    topics=("gardening",),
    training_prompts=14,
    test_prompts=14,
    rare_prompts=11,
    responses=24,
    pairs=1000,
    test_pairs=1000,
    rare_share=0.1,
)


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


#: Parts that are kept nowhere.
NOWHERE = Parts()
#: Tokens that the model has positions for, at least: room for longer texts than its own.
POSITIONS = 256
#: Steps at the end of supervised training whose mean loss is reported.
_LAST = 20

#: For a first look: one seed, so that intervals cover test prompts only, and shorter training.
QUICK = PolicyOptions(seeds=1, epochs=1.0)


def why_not() -> str:
    """Why the policy part cannot run here; empty where it can."""
    return "" if find_spec("trl") else WITHOUT_TRL


@dataclass(frozen=True)
class _Base:
    """A supervised model, before preferences."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    loss: float


def run_policies(
    options: PolicyOptions | None = None,
    world: TextWorld | None = None,
    clock: Clock | None = None,
    keep: Path | None = None,
    parts: Parts = NOWHERE,
    say: Callable[[str], None] = lambda line: None,
) -> PolicyResult:
    """Train every policy on every seed, let it write, and compare.

    Args:
        options: sizes; by default those of the whole demo.
        world: questions and answers; by default those of one topic.
        clock: where to note the time.
        keep: where to save the first seed's supervised model.
        parts: where what is computed is kept.
        say: called with one line per model.
    """
    options, world, clock = options or PolicyOptions(), world or WORLD, clock or Clock()
    compared = policy_methods(world)
    tests = {
        "test": world.test(),
        "shifted": world.test("deployment"),
        "alike": world.groups_alike(),
    }
    pool = _as_pairs(world.prompts["test"])
    outcomes: dict[str, list[Outcomes]] = {method.name: [] for method in compared}
    losses: list[float] = []
    parameters = 0
    notes: dict[str, dict[str, None]] = {}
    described = [options.model_dump(mode="json"), world.model_dump(mode="json")]
    for seed in range(options.seeds):
        base = _Lazy(partial(_timed_base, world, options, seed, clock))
        said = parts.kept(["base", described, seed], partial(_described, base, keep, seed))
        losses.append(said["loss"])
        parameters = said["parameters"]
        for number, method in enumerate(compared, start=1):
            record = parts.kept(
                ["policy", described, seed, asdict(method)],
                partial(_trained, base, method, world, options, seed, pool, clock),
            )
            for note in record["notes"]:
                notes.setdefault(note, {})[method.name] = None
            outcomes[method.name].append(_outcomes(record, options.beta))
            say(
                f"seed {seed + 1} of {options.seeds}, language model {number} of "
                f"{len(compared)}: {method.name}"
            )
    rows = rows_of(compared, outcomes, tests, world)
    samples = {name: tuple(found[0].written) for name, found in outcomes.items()}
    noted = {note: tuple(names) for note, names in notes.items()}
    return PolicyResult(
        world,
        options.seeds,
        options.model_dump(mode="json"),
        rows,
        parameters,
        float(np.mean(losses)),
        samples,
        noted,
    )


class _Lazy:
    """A supervised model that is made when it is first needed."""

    def __init__(self, make: Callable[[], _Base]) -> None:
        self.make = make

    @cached_property
    def made(self) -> _Base:
        """The supervised model, made when it is first asked for."""
        return self.make()


def _timed_base(world: TextWorld, options: PolicyOptions, seed: int, clock: Clock) -> _Base:
    with clock("supervised training"):
        return _base(world, options, seed)


def _described(base: _Lazy, keep: Path | None, seed: int) -> dict[str, Any]:
    """How the supervised training went, JSON-ready; the first seed's model is saved."""
    if keep is not None and seed == 0:
        base.made.model.save_pretrained(keep)
        base.made.tokenizer.save_pretrained(keep)
    return {"loss": base.made.loss, "parameters": base.made.model.num_parameters()}


def _trained(
    base: _Lazy,
    method: Method,
    world: TextWorld,
    options: PolicyOptions,
    seed: int,
    pool: Preferences,
    clock: Clock,
) -> dict[str, Any]:
    """One policy's scores and responses, JSON-ready."""
    notes: dict[str, dict[str, None]] = {}
    made = base.made
    with clock("training policies"), _noting(notes, method.name):
        policy = _policy(made, method, world.training(seed).observed, options, seed)
    scored = None
    if method.objective is not None:
        with clock("evaluating policies"):
            rewards = _score(policy, made, pool, options.beta).rewards
            scored = [[*texts, value] for texts, value in rewards.items()]
    with clock("writing"):
        written = [asdict(one) for one in _write(policy, made, world, options.writing, seed)]
    return {"scored": scored, "written": written, "notes": list(notes)}


def _outcomes(record: Mapping[str, Any], beta: float) -> Outcomes:
    scored = None
    if record["scored"] is not None:
        scored = Scored({(prompt, text): value for prompt, text, value in record["scored"]}, beta)
    return Outcomes(scored, tuple(Completion(**one) for one in record["written"]))


@contextmanager
def _noting(notes: dict[str, dict[str, None]], name: str) -> Iterator[None]:
    """Keep the warnings given inside for the page: the validator's, cuts, smaller batches."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield
    for one in given:
        notes.setdefault(str(one.message), {})[name] = None


def _base(world: TextWorld, options: PolicyOptions, seed: int) -> _Base:
    """A new model that has seen the world's training responses, both kinds."""
    examples = [(p.text, r.text) for p in world.prompts["training"] for r in p.responses]
    tokenizer = make_tokenizer(
        (text for example in examples for text in example), options.language.vocabulary
    )
    pool = [(p.text, r.text) for some in world.prompts.values() for p in some for r in p.responses]
    longest = max(len(tokenizer(GAP.join(both))["input_ids"]) for both in pool) + 1
    prompts = max(len(tokenizer(prompt + GAP)["input_ids"]) for prompt, _ in pool)
    room = max(POSITIONS, longest, prompts + options.writing.max_new_tokens)
    model = make_model(tokenizer, options.language, room, seed)
    with warnings.catch_warnings():  # TRL's, of other libraries
        warnings.simplefilter("ignore")
        logged = train_supervised(model, tokenizer, examples, options.language, seed)
    return _Base(plain_copy(model), tokenizer, float(np.mean(logged[-_LAST:])))


def _policy(
    base: _Base, method: Method, drawn: Preferences, options: PolicyOptions, seed: int
) -> PreTrainedModel:
    """The base, trained on the pairs under the method's objective; the base itself stays."""
    from transformers import PrinterCallback

    from surefoot.training import PreferenceConfig, PreferenceTrainer

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
                seed=seed,
                **quiet_on_this_machine(),
            ),
            train_dataset=drawn,
            processing_class=base.tokenizer,
            objective=Objective(**method.objective),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return trainer.model


def _as_pairs(prompts: tuple[PoolPrompt, ...]) -> Preferences:
    """Every response of a pool once (an odd one twice), so that each is scored once."""
    rows = []
    for prompt in prompts:
        texts = [response.text for response in prompt.responses]
        for a, b in zip_longest(texts[::2], texts[1::2], fillvalue=texts[0]):
            rows.append({"prompt": prompt.text, "response_a": a, "response_b": b, "label": 0.5})
    return Preferences.from_rows(rows, "test responses")


def _score(policy: PreTrainedModel, base: _Base, pool: Preferences, beta: float) -> Scored:
    """Implicit rewards of every test response."""
    model = _language_model(policy, base, beta)
    rewards = model.raw_scores(pool)
    prompts, sides = pool.texts("prompt")[0], pool.texts("response")
    found = {
        (prompt, sides[side][row]): float(rewards[row, side])
        for row, prompt in enumerate(prompts)
        for side in (0, 1)
    }
    return Scored(found, beta)


def _language_model(policy: PreTrainedModel, base: _Base, beta: float) -> LanguageModel:
    from surefoot.scorers.language.loading import prepare_model
    from surefoot.scorers.language.model import LanguageModel
    from surefoot.scorers.language.options import PolicyScorer
    from surefoot.scorers.language.reference import ReferencePolicy

    scorer = PolicyScorer(
        model="made in the run",
        beta=beta,
        max_length=base.model.config.max_position_embeddings,
        precision="float32",
    )
    found = LanguageModel(scorer, prepare_model(policy, base.tokenizer))
    base.model.to(found.engine.device)
    found.reference = ReferencePolicy.of(base.model, found.engine, live=False)
    return found


def _write(
    policy: PreTrainedModel,
    base: _Base,
    world: TextWorld,
    options: GenerationOptions,
    seed: int,
) -> list[Completion]:
    prompts = [prompt.text for prompt in world.prompts["test"]]
    return write_responses(policy, base.tokenizer, prompts, options, seed)
