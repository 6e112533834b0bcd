"""A chat model at an OpenAI-compatible endpoint as the judge of pairs."""

from typing import TYPE_CHECKING

from surefoot.judge.cost import Cost
from surefoot.judge.errors import DeclinedError, JudgeError
from surefoot.judge.options import Judge
from surefoot.lazy import offers

if TYPE_CHECKING:
    from surefoot.judge.judging import judge_pairs
    from surefoot.judge.result import JudgeResult

__all__ = ["Cost", "DeclinedError", "Judge", "JudgeError", "JudgeResult", "judge_pairs"]

__getattr__ = offers(__name__, {"JudgeResult": "result", "judge_pairs": "judging"})
