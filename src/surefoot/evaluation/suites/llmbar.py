"""Instruction following, natural and adversarial (Zeng et al. 2023, arXiv 2310.07641)."""

from __future__ import annotations

from surefoot.evaluation.suite import Part, Record, Row, Suite, each

_ORIGIN = (
    "https://raw.githubusercontent.com/princeton-nlp/LLMBar/"
    "900616bff90b6c6c8e1681f7d079250637c55992/Dataset"
)
_SUBSETS = {
    "natural": "LLMBar/Natural",
    "adversarial_gptinst": "LLMBar/Adversarial/GPTInst",
    "adversarial_gptout": "LLMBar/Adversarial/GPTOut",
    "adversarial_manual": "LLMBar/Adversarial/Manual",
    "adversarial_neighbor": "LLMBar/Adversarial/Neighbor",
    "mt-bench": "Processed/MT-Bench",
    "llmeval2": "Processed/LLMEval%5E2",
}
_LABELS = {1: 1.0, 2: 0.0}


def row(record: Record, part: str, place: int) -> Row:
    """The subset is the group."""
    return {
        "prompt": record["input"],
        "response_a": record["output_1"],
        "response_b": record["output_2"],
        "label": _LABELS[record["label"]],
        "id": f"{part}/{place}",
        "group": part,
    }


SUITE = Suite(
    name="llmbar",
    description="Which answer follows the instruction; adversarial subsets reward style otherwise",
    origin="GitHub princeton-nlp/LLMBar @ 900616bff90b: Dataset/**/dataset.json",
    licence="MIT (mt-bench rows: CC BY 4.0)",
    parts={
        name: Part(f"llmbar/{name}.jsonl.gz", f"{_ORIGIN}/{path}/dataset.json")
        for name, path in _SUBSETS.items()
    },
    rows=each(row),
    note="mt-bench is the majority of human judges; 39 prompts are shared with evalbiasbench.",
)
