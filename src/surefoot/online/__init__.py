"""Policies trained online, on TRL's trainers, against the prompts that they serve worst."""

from typing import TYPE_CHECKING

from surefoot.lazy import offers
from surefoot.online.config import Online, OnlineConfig, OnlineTrainingOptions, PromptOptions

if TYPE_CHECKING:
    from surefoot.online.adversary import Adversary
    from surefoot.online.prompts import PromptSet

__all__ = [
    "Adversary",
    "Online",
    "OnlineConfig",
    "OnlineTrainingOptions",
    "PromptOptions",
    "PromptSet",
]

__getattr__ = offers(__name__, {"Adversary": "adversary", "PromptSet": "prompts"})
