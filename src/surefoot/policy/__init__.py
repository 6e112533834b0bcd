"""Policies trained online, on TRL's trainers, against the prompts that they serve worst."""

from surefoot.policy.adversary import Adversary
from surefoot.policy.config import Online, OnlineConfig, OnlineTrainingOptions, PromptOptions
from surefoot.policy.prompts import PromptSet

__all__ = [
    "Adversary",
    "Online",
    "OnlineConfig",
    "OnlineTrainingOptions",
    "PromptOptions",
    "PromptSet",
]
