"""Scores of pairs by a language model: rewards, or log-ratios of a policy to its reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from surefoot.objectives import Outputs, ScoreKind
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.chunked import at_least_single, token_log_probs
from surefoot.scorers.language.precision import per_root_token


class ScoreFunction(ABC):
    """A function that makes batches the scores of pairs."""

    kind: ClassVar[ScoreKind]
    beta: float | None = None
    """Scale of the log-ratio of a policy."""

    def __call__(self, model: nn.Module, batch: PairBatch, reference: Tensor | None) -> Outputs:
        """Outputs of a batch, given the reference's log-probabilities (n, 2) for a policy."""
        return Outputs(self.of_model(model, batch), None, batch.lengths)

    @abstractmethod
    def of_model(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """What the model alone says of each response (n, 2)."""


@dataclass(frozen=True)
class RewardScores(ScoreFunction):
    """r(x, y): the one label of a sequence classifier."""

    bidirectional: bool = True  #: it reads a text in both directions

    kind = "rewards"

    def of_model(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Rewards (n, 2)."""
        return labels_of_texts(model, batch, self.bidirectional)[0][..., 0]


def labels_of_texts(
    model: nn.Module, batch: PairBatch, bidirectional: bool
) -> tuple[Tensor, Tensor | None]:
    """Labels (n, 2, L) of both texts by a sequence classifier, in float32, and of its positions.

    The latter, (B, T, L), are what its head says before one of them is chosen; None where that is
    not known. Of texts that share a row they are chosen here.
    """
    everywhere: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        everywhere.append(at_least_single(output))

    head = reward_head(model)
    with whole_head(model), nullcontext() if head is None else head.register_forward_hook(keep):
        found = model(**batch.inputs(model, bidirectional))
    said = everywhere[0] if everywhere else None
    if batch.places is not None:
        if said is None:
            raise TypeError("a model whose head is not known reads one text in a row")
        return batch.at(said, batch.ends), said
    return at_least_single(found.logits).unflatten(0, (-1, 2)), said


@dataclass
class PolicyScores(ScoreFunction):
    """beta log(pi(y | x) / pi_ref(y | x)): DPO's implicit reward (Rafailov et al., 2305.18290).

    A log-ratio below the `noise`, in nats per root of a token, is none
    (:class:`surefoot.scorers.language.precision.Noise`); what trains a policy measures it first.
    """

    beta: float  #: scale of the log-ratio, the strength of the pull to the reference
    noise: float = 0.0

    kind = "token sums"

    def __call__(self, model: nn.Module, batch: PairBatch, reference: Tensor | None) -> Outputs:
        """Scores (n, 2) of a batch, given the reference's log-probabilities (n, 2)."""
        if reference is None:
            raise TypeError("a policy's score needs the reference's log-probabilities")
        found = self.of_model(model, batch)
        return Outputs(self.of_log_probs(found, reference, batch.lengths), found, batch.lengths)

    def of_model(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Log-probabilities (n, 2)."""
        return log_probs(model, batch)

    def of_log_probs(self, log_probs: Tensor, reference: Tensor, lengths: Tensor) -> Tensor:
        """Scores (n, 2) from log-probabilities (n, 2) of responses of these lengths (n, 2).

        A difference that rounding alone makes is none: a policy that equals its reference has
        margins of exactly 0, and ties are ties in any split of a step. It has its gradient.
        """
        change = log_probs - reference
        none = per_root_token(change.detach(), lengths) < self.noise
        return self.beta * torch.where(none, change - change.detach(), change)


def with_steepness(
    score: ScoreFunction, model: nn.Module, batch: PairBatch, learn: bool = False
) -> Outputs:
    """Rewards of a batch of n pairs, and |grad_e (r_a - r_b)|^2 (n,) in the input embeddings e.

    The embeddings are those that the model's first layer looks up, of every token of both responses
    and their prompt. They stay in the graph: what is learnt from their gradients is learnt by the
    table, too. Pairs do not see each other, nor their padding, so that one backward pass gives the
    gradient of each.

    Args:
        score: of rewards.
        model: in the mode that it is trained in; its parameters' gradients are left alone.
        batch: the pairs, a row for each text.
        learn: keep the graph of both, for a second derivative.
    """
    if batch.places is not None:
        raise TypeError("texts that share a row share the gradient in their prompt's embeddings")
    looked_up: list[Tensor] = []  # (B, T, D) each time that the embedding layer is asked

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if not output.requires_grad:  # of a table that is not trained
            output = output.detach().requires_grad_()
        looked_up.append(output)
        return output

    layer: Any = model
    with torch.enable_grad(), layer.get_input_embeddings().register_forward_hook(keep):
        outputs = score(model, batch, None)
        margins = outputs.scores[:, 0] - outputs.scores[:, 1]
        gradients = torch.autograd.grad(margins.sum(), looked_up, create_graph=learn)
        squares = torch.stack([one.square().sum((1, 2)) for one in gradients]).sum(0)
        steepness = squares.view(-1, 2).sum(1)
    if learn:
        return replace(outputs, steepness=steepness)
    return replace(outputs, scores=outputs.scores.detach(), steepness=steepness.detach())


def log_probs(model: nn.Module, batch: PairBatch) -> Tensor:
    """Log pi(y | x) (n, 2), sums over each response's tokens in float64.

    Logits are computed only where a response's token is predicted.
    """
    inner = base_of(_unwrapped(model))
    found = token_log_probs(model, inner, batch.inputs(model), batch.predicts, batch.targets)
    return batch.by_response(found.double())


@contextmanager
def whole_head(model: nn.Module) -> Iterator[None]:
    """Let a reward model's head compute in float32, in mixed precision too.

    A reward in bfloat16 has three digits: different texts would tie.
    """
    head = reward_head(model)
    if head is None:
        yield
        return
    *_, last = head.parameters()  # of a head and PEFT's trained copy, that of the copy
    forward, patched = head.forward, vars(head).get("forward")

    def whole(states: Tensor, *rest: Any, **named: Any) -> Any:
        with autocast(states.device, None):
            return forward(states.to(last.dtype), *rest, **named)

    vars(head)["forward"] = whole
    try:
        yield
    finally:
        del vars(head)["forward"]
        vars(head).update({} if patched is None else {"forward": patched})


#: What transformers calls the head of a sequence classifier.
HEADS = ("score", "classifier", "classification_head", "logits_proj")


def reward_head(model: nn.Module) -> nn.Module | None:
    """The module from hidden states to the reward, through any wrapping; None: of another name."""
    inner = base_of(_unwrapped(model))
    return next((getattr(inner, name) for name in HEADS if hasattr(inner, name)), None)


def base_of(model: Any) -> Any:
    """The model of transformers below an adapter, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _unwrapped(model: nn.Module) -> Any:
    inner: Any = model
    while not hasattr(inner, "get_output_embeddings") and hasattr(inner, "module"):
        inner = inner.module
    return inner


@contextmanager
def mode(model: nn.Module, dropout: bool = False) -> Iterator[None]:
    """Training mode; without dropout, what of it gradient checkpointing needs and nothing else.

    Only layers ask whether to checkpoint. The modules above them have the same flag, and some of
    them drop out themselves (BioGPT, XGLM).
    """
    from transformers.modeling_layers import GradientCheckpointingLayer  # takes seconds

    before = {module: module.training for module in model.modules()}
    model.train(dropout)
    functions: dict[Any, Callable[..., Any]] = {
        module: module._gradient_checkpointing_func
        for module in before
        if not dropout
        and isinstance(module, GradientCheckpointingLayer)
        and module.gradient_checkpointing
    }
    for module, function in functions.items():
        module.training = True  # for its own question whether to checkpoint
        module._gradient_checkpointing_func = _without_dropout(module, function)
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
        for module, function in functions.items():
            module._gradient_checkpointing_func = function


def _without_dropout(module: Any, checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Checkpointing during which the module itself is not training, now and when recomputed."""

    def run(forward: Callable[..., Any], *inputs: Any) -> Any:
        def quiet(*inputs: Any) -> Any:
            training, module.training = module.training, False
            try:
                return forward(*inputs)
            finally:
                module.training = training

        return checkpoint(quiet, *inputs)

    return run


@contextmanager
def quick_attention(model: nn.Module, device: torch.device, half: bool) -> Iterator[None]:
    """Plain attention on CPUs in half precision, where the fused one's backward pass is slow.

    It took 8 to 15 times as long (torch 2.13, bfloat16, 80 tokens), and a whole step 1.3 times. The
    mathematics is the same; the model is as before afterwards.
    """
    inner: Any = model
    before = getattr(getattr(inner, "config", None), "_attn_implementation", None)
    if device.type != "cpu" or not half or before != "sdpa":
        yield
        return
    inner.set_attn_implementation("eager")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    """Mixed precision in `dtype`; None: as the model is."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
