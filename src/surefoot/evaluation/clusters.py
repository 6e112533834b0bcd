"""What test pairs share, and so what their intervals cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from surefoot.arrays import ArrayLike, Ints
from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, DataError, unknown_name

Choice = Literal["auto", "prompt", "response"]

#: From this many judged responses a prompt on, pairs of one prompt are a tournament.
TOURNAMENT = 10
#: With at least this many prompts, prompts are the clusters whatever happens inside them.
MANY_PROMPTS = 50


@dataclass(frozen=True)
class Clusters:
    """Clusters of test pairs."""

    ids: Ints  #: shape (N,), or (N, 2) for the responses of tournaments
    kind: str  #: `prompt`, `response`, or `given`
    covers: str  #: what intervals over these clusters cover


def clusters_of(preferences: Preferences, choice: Choice | ArrayLike = "auto") -> Clusters:
    """Choose the clusters of N test pairs: `auto`, `prompt`, `response`, or ids (N,) or (N, 2).

    By default the prompt. Where few prompts each hold a tournament of many responses (UKPConvArg1:
    32 prompts of about 33 arguments, nearly all pairs judged), a response is shared by many pairs
    and prompts are too few to vary: there the clusters are the two responses of each pair, the
    error is dyadic-robust, and the interval covers the responses with the prompts held fixed.

    Raises:
        ConfigurationError: an unknown name.
        DataError: ids of another length.
    """
    if not isinstance(choice, str):
        ids = np.asarray(choice)
        if ids.shape not in {(len(preferences),), (len(preferences), 2)}:
            raise DataError(
                f"clusters are given for {ids.shape} rows; {preferences.name} has "
                f"{len(preferences)}: shape (N,) or (N, 2)."
            )
        return Clusters(ids, "given", "test items, by the clusters given")
    if choice not in get_args(Choice):
        raise ConfigurationError(unknown_name("choice of clusters", choice, get_args(Choice)))
    prompts = preferences.prompt_keys()
    count = len(np.unique(prompts))
    by_prompt = Clusters(prompts, "prompt", "test prompts")
    if choice == "prompt" or (choice == "auto" and count >= MANY_PROMPTS):
        return by_prompt
    responses = preferences.response_keys()
    by_response = Clusters(responses, "response", f"test responses, the {count} prompts held fixed")
    distinct = len(np.unique(responses))
    shared = responses.size >= 2 * distinct  # the typical response is in two pairs or more
    tournament = shared and distinct >= TOURNAMENT * count
    return by_response if choice == "response" or tournament else by_prompt
