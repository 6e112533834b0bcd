"""What the policy part compares, where it looks, and what theory says before anything is run."""

from __future__ import annotations

from typing import Literal

from surefoot.demo.methods import COLUMNS, Measure, Method
from surefoot.worlds import TextWorld

PolicyKey = Literal["clean", "shifted", "rare", "log-loss", "change", "reward", "hurried", "length"]

#: Columns on test pairs come first, those on what a policy writes last.
POLICY_COLUMNS: dict[PolicyKey, Measure] = {
    "clean": COLUMNS["clean"],
    "shifted": COLUMNS["shifted"],
    "rare": COLUMNS["rare"],
    "log-loss": COLUMNS["log-loss"],
    "change": Measure(
        "preferred response",
        "Change of the log-probability of the truly preferred response by preference training, in "
        "nats per response: below 0 it has become less likely. Pairs as in training.",
    ),
    "reward": Measure(
        "reward of its own",
        "True reward of what the policy writes to ordinary test prompts, judged by its sentences.",
    ),
    "hurried": Measure(
        "reward, in a hurry",
        "The same for prompts of people in a hurry, to whom each sentence of filler is a loss.",
    ),
    "length": Measure(
        "tokens",
        "Length of what the policy writes, in tokens; ▲ longer, ▼ shorter, which is neither better "
        "nor worse by itself.",
        words=("longer", "shorter"),
        digits=1,
    ),
}

#: Columns on pairs: a supervised model without preference training has none of them.
ON_PAIRS: tuple[PolicyKey, ...] = ("clean", "shifted", "rare", "log-loss", "change")
ON_WRITTEN: tuple[PolicyKey, ...] = ("reward", "hurried", "length")

SUPERVISED = "supervised only"
PLAIN = "plain (DPO)"

#: By the rule of the reward models (about the standard error of the rare group's mean loss): here
#: the risk sees a step, with about six of their pairs, and not the whole of the data.
GROUP_TEMPERATURE = 0.25


def policy_methods(world: TextWorld) -> tuple[Method, ...]:
    """The supervised model first, plain next, then the robust ones."""
    return (
        Method(
            SUPERVISED,
            None,
            "Imitates the world's responses, good and bad: where every other row begins, and their "
            "reference.",
            against="",
        ),
        Method(
            PLAIN,
            {},
            "Should write what people prefer. The longer response is mostly the better one in "
            "training, so it should write more; and its loss sees differences only, so that the "
            "preferred response may become less likely, if the other one does so faster.",
            {"change": "worse", "reward": "better", "length": "longer"},
            against=SUPERVISED,
        ),
        Method(
            "smoothed labels (cDPO)",
            {"labels": {"kind": "smoothed", "flip_rate": world.flip_rate}},
            "Wants a margin that is small and bounded, so it pushes less: the preferred response "
            "should fall less.",
            {"change": "better"},
            against=PLAIN,
        ),
        Method(
            "flip-corrected labels (rDPO)",
            {"labels": {"kind": "flip-corrected", "flip_rate": world.flip_rate}},
            "Unbiased for the loss on clean labels, so its implied probabilities should be nearer "
            "to the truth. It pushes harder, by 1 / (1 - 2 x flip rate), so the preferred response "
            "should fall further.",
            {"log-loss": "better", "change": "worse"},
            against=PLAIN,
        ),
        Method(
            "with chosen likelihood (RPO)",
            {"regularisers": ({"kind": "chosen-likelihood", "weight": 1.0},)},
            "Holds up the likelihood of the response that was labelled as preferred, at the weight "
            "of its paper.",
            {"change": "better"},
            against=PLAIN,
        ),
        Method(
            "KL over groups",
            {
                "risk": {
                    "kind": "kl-penalised",
                    "temperature": GROUP_TEMPERATURE,
                    "unit": "group",
                }
            },
            "Gives weight to the group that fits badly. The rare group's pairs speak against "
            "length: gains there and where length is reversed, and the mean pays, as for reward "
            "models; and people in a hurry should be written less filler.",
            {"rare": "better", "shifted": "better", "clean": "worse", "hurried": "better"},
            against=PLAIN,
        ),
    )
