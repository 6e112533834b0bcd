"""What is tried on some pairs before the first step.

A policy is its reference then: whether that shows, and what rounding makes. A prompt may be read
once for its responses. A model that is learnt
from by a gradient of a gradient has to have that exactly.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.errors import ConfigurationError
from surefoot.escaping import warn
from surefoot.objectives import Objective
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.precision import noise_of, per_root_token
from surefoot.scorers.language.reference import ReferencePolicy
from surefoot.scorers.language.scores import (
    ScoreFunction,
    base_of,
    log_probs,
    mode,
    quick_attention,
)
from surefoot.scorers.language.sharing import Sharing, suited
from surefoot.training.language.pairs import TrainingPairs

#: Pairs that are looked at, and how many of them at a time: batches of several shapes.
LOOKED_AT, SHAPES = 8, (1, 3, 8)
#: Part that a second derivative may be off. Of a finite difference: by how much the gradient
#: changes, how far embeddings move at most, and what is rounding, as parts of their length.
TOLERANCE, CHANGE, REACH, ROUNDING = 0.02, 0.01, 0.05, 1e-5


def noise_at_start(
    model: nn.Module, reference: ReferencePolicy, pairs: TrainingPairs, engine: Engine
) -> float:
    """What counts as no change of a policy, in nats per root of a token.

    Some pairs, spread by length, are read again in batches of several shapes, which are others than
    those that made the reference's log-probabilities (which the pairs have, unless it is live). A
    warning tells where they differ by more than rounding makes.
    """
    noise = noise_of(model, engine.precision, engine.device)
    measured = _difference(model, reference, pairs, engine)
    if measured <= noise.most:
        return noise.of(measured)
    cause = "The model reads a text otherwise in other batches, or a hook changes it."
    if reference.without_adapter:
        cause = "The adapter does not begin as nothing (init_lora_weights)."
    warn(
        f"before the first step the policy is not its reference: log-probabilities differ by up to "
        f"{measured:.2g} nats per root of a token, and rounding makes {noise.most:g} at most in "
        f"this precision. Margins do not begin at 0. {cause}",
        stacklevel=3,
    )
    return noise.usual


def _difference(
    model: nn.Module, reference: ReferencePolicy, pairs: TrainingPairs, engine: Engine
) -> float:
    by_length = np.argsort(pairs.tokens.lengths.max(axis=1), kind="stable")
    rows = by_length[np.unique(np.linspace(0, len(by_length) - 1, LOOKED_AT).astype(int))]

    def theirs(model: nn.Module, batch: PairBatch) -> Tensor:
        return reference(batch)

    if pairs.reference is not None:
        before = pairs.reference[torch.from_numpy(rows)]
    else:
        before = torch.from_numpy(over_rows(theirs, model, pairs.tokens, rows, engine, "reference"))
    lengths = torch.from_numpy(pairs.tokens.response_lengths[rows])
    worst = 0.0
    for size in SHAPES:
        some = replace(engine, pairs=size)
        found = torch.from_numpy(
            over_rows(log_probs, model, pairs.tokens, rows, some, "first look")
        )
        worst = max(worst, float(per_root_token(found - before, lengths).max()))
    return worst


def prompts_at_once(
    objective: Objective,
    engine: Engine,
    model: nn.Module,
    score: ScoreFunction,
    tokens: TokenPairs,
    arguments: Any,
) -> tuple[Engine, Sharing | None]:
    """The engine that reads a prompt once for its responses, where that changes the work alone.

    None says that it would not be the same: a Wasserstein ball is around each text, and dropout is
    drawn for each.
    """
    if objective.wasserstein is not None or not arguments.disable_dropout:
        return replace(engine, shared=False), None
    with quick_attention(model, engine.device, engine.precision is not None):
        return suited(engine, model, score.of_model, tokens, learn=True)


def require_exact(
    objective: Objective,
    score: ScoreFunction,
    model: nn.Module,
    engine: Engine,
    arguments: Any,
    pairs: TrainingPairs,
) -> None:
    """Refuse a run whose objective needs a second derivative that the model has not.

    Without a gradient norm in the objective, everything is allowed. Else, what is known to be wrong
    is refused by name; then the derivative is tried on the first pair, against a finite difference.
    The model is itself, not wrapped for several processes.

    Raises:
        ConfigurationError: the model, or how it is trained, has no exact second derivative.
    """
    if objective.wasserstein is None:
        return
    one = engine.batch(pairs.tokens, np.zeros(1, dtype=np.int64))
    why = _known(model, engine, arguments) or _found(score, model, one)
    if why:
        raise ConfigurationError(f"{objective.wasserstein.label()} is refused here: {why}.")


def attention_for(objective: object) -> dict[str, str]:
    """Options that load a model with the attention that this objective needs."""
    needed = isinstance(objective, Objective) and objective.wasserstein is not None
    return {"attn_implementation": "eager"} if needed else {}


def _known(model: Any, engine: Engine, arguments: Any) -> str:
    """Why there can be no exact second derivative; empty where nothing says so."""
    inner = base_of(model)
    attention = getattr(inner.config, "_attn_implementation", None) or "eager"
    if getattr(inner, "hf_quantizer", None) is not None:
        return (
            "quantised weights have a derivative of their own, whose derivative is not known. Take "
            "an adapter on float32 weights (scorer.adapter.quantised: false)"
        )
    kinds = {p.dtype for p in model.parameters()} | {engine.precision or torch.float32}
    if half := {kind for kind in kinds if kind not in (torch.float32, torch.float64)}:
        return (
            f"a gradient of a gradient in {str(half.pop()).removeprefix('torch.')} is mostly "
            "rounding. Set scorer.precision: float32 (in Python: a float32 model, bf16=False)"
        )
    checkpointing = (getattr(m, "gradient_checkpointing", False) for m in model.modules())
    if arguments.gradient_checkpointing or any(checkpointing):
        return (
            "gradient checkpointing computes activations again inside a backward pass, which is "
            "here differentiated itself. Turn it off, and take smaller micro-batches"
        )
    if not arguments.disable_dropout:
        return (
            "disable_dropout=False: the pass that finds the mean of the step would see other "
            "dropout than the one that uses it"
        )
    if attention != "eager":
        return (
            f"the attention {attention!r} has no derivative of its derivative. Call "
            "model.set_attn_implementation('eager') (surefoot train does so itself)"
        )
    return ""


def _found(score: ScoreFunction, model: nn.Module, batch: PairBatch) -> str:
    """Why the second derivative on a pair is wrong; empty where it is right.

    With g the gradient of the margin in the input embeddings and H its derivative, what is learnt
    from is H g: by differentiating twice, and by the difference of g at two places along it.
    """
    with mode(model):
        length, g = _gradient(score, model, batch)
        if float(g.norm()) == 0:  # as with a head of zeros
            return ""
        at = torch.zeros_like(g, requires_grad=True)
        half = _gradient(score, model, batch, at)[1].square().sum() / 2
        try:
            (twice,) = torch.autograd.grad(half, at, materialize_grads=True)
        except RuntimeError as error:
            if "derivative" not in str(error):  # out of memory, say
                raise
            return f"this model cannot be differentiated twice ({str(error).splitlines()[0]})"
        reach = REACH * length / float(g.norm())
        step = min(CHANGE * float(g.norm()) / max(float(twice.norm()), 1e-30), reach)
        ahead, behind = (_gradient(score, model, batch, sign * step * g)[1] for sign in (1, -1))
    seen = (ahead - behind).detach() / (2 * step)
    rounding = ROUNDING * float(g.norm()) / step
    off, size = float((seen - twice).norm()), float(seen.norm())
    if off <= TOLERANCE * size + rounding:
        return ""
    return (
        "the second derivative of this model is wrong: differentiated twice, the gradient of a "
        f"pair's margin is {off / max(size, off):.0%} off what a finite difference says. Some "
        "layer has a backward pass that is not differentiated"
    )


def _gradient(
    score: ScoreFunction, model: Any, batch: PairBatch, move: Tensor | None = None
) -> tuple[float, Tensor]:
    """Length of the input embeddings of a batch, and the gradient of its margins in them.

    With `move`, a tensor of the embeddings' shape, it is that far beside them, and differentiable
    in it.
    """
    lengths: list[float] = []
    moved: list[Tensor] = []

    def shift(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        del module, inputs
        lengths.append(float(output.detach().norm()))
        if not moved:  # an encoder and its decoder ask the same layer
            away = torch.zeros_like(output) if move is None else move
            moved.append(away if away.requires_grad else away.detach().requires_grad_())
        return output.detach() + moved[0]

    hook = model.get_input_embeddings().register_forward_hook(shift)
    try:
        scores = score(model, batch, None).scores
    finally:
        hook.remove()
    learn = move is not None and move.requires_grad
    (found,) = torch.autograd.grad(
        (scores[:, 0] - scores[:, 1]).sum(), moved[0], create_graph=learn
    )
    return lengths[0], found
