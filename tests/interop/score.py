"""Scores of saved models by whatever transformers this Python has; needs nothing of surefoot.

    python score.py FOLDER

FOLDER holds `texts.json` and a folder for each model. What is written, `scores-VERSION.json`, has
for each model the tokens and the scores of every text, or why there are none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)


def main(folder: Path) -> None:
    transformers.logging.set_verbosity_error()
    texts = json.loads((folder / "texts.json").read_text())
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            found[place.name] = _scores(place, texts)
        except Exception as error:  # any: another version fails in ways of its own
            found[place.name] = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    path = folder / f"scores-{transformers.__version__}.json"
    path.write_text(json.dumps(found))


def _scores(place: Path, texts: list[str]) -> dict[str, object]:
    tokenizer = AutoTokenizer.from_pretrained(place)
    policy = place.name.endswith("policy")
    loader = AutoModelForCausalLM if policy else AutoModelForSequenceClassification
    if (place / "adapter_config.json").is_file():
        import peft

        loader = getattr(peft, loader.__name__.replace("AutoModel", "AutoPeftModel"))
    options = {} if policy else {"num_labels": 1}
    model = loader.from_pretrained(place, **options).eval()
    tokens = [tokenizer(text)["input_ids"] for text in texts]
    if tokenizer.chat_template:
        turns = [[{"role": "user", "content": text}] for text in texts]
        written = [tokenizer.apply_chat_template(one, tokenize=False) for one in turns]
        tokens += [tokenizer(one, add_special_tokens=False)["input_ids"] for one in written]
    scores = []
    with torch.no_grad():
        for ids in tokens:
            logits = model(input_ids=torch.tensor([ids])).logits[0]
            if policy:
                chosen = logits[:-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]
                scores.append(float(chosen.double().sum()))
            else:
                scores.append(float(logits[0]))
        if not policy:  # together, by the model's own pad token
            padded = tokenizer.pad({"input_ids": tokens}, return_tensors="pt")
            rows = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"])
            scores += rows.logits.flatten().tolist()
    return {"tokens": tokens, "scores": scores}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
