"""Measures the shipped model in every format and writes the tables into docs/model.md.

Run: `python -m shadow.training.measure`.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from shadow.training.corpus import second_try
from shadow.training.example import Example, Task
from shadow.training.formats import CONFIGS, FULL, in_format
from shadow.training.generate import answers
from shadow.training.score import score
from shadow.training.tasks import TASKS
from shadow.training.tokenizer import END, prompt_text

MODEL = Path("shadow/data/model")
DOCUMENT = Path("docs/model.md")
SEED = 91
AGAIN = ("order", "tools", "codes")


def held_out(task: Task, rng: Random) -> Iterator[Example]:
    """Distinct prompts of a task which training never saw."""
    seen = set()
    while True:
        example = task(rng)
        prompt = prompt_text(example)
        if example.held_out and prompt not in seen:
            seen.add(prompt)
            yield example


def slices(count: int, seed: int = SEED) -> dict[str, list[Example]]:
    """`count` held-out examples of each route, and of asking again after a wrong answer."""
    rng = Random(seed)
    drawn = {route: take(held_out(task, rng), count) for route, task in TASKS.items()}
    again = (second_try(rng, example, TASKS[route]) for route in AGAIN for example in drawn[route])
    drawn["asked again"] = rng.sample(list(again), count)
    return drawn


def take(stream: Iterable[Example], count: int) -> list[Example]:
    return [example for example, _ in zip(stream, range(count), strict=False)]


def rates(model: Any, tokenizer: Any, examples: Sequence[Example]) -> tuple[float, float]:
    """Shares of valid and of exactly right greedy answers."""
    scored = [score(*pair) for pair in zip(examples, answers(model, tokenizer, examples), strict=True)]
    return sum(valid for valid, _ in scored) / len(scored), sum(right for _, right in scored) / len(scored)


@torch.inference_mode()
def divergence(full: Any, other: Any, tokenizer: Any, examples: Sequence[Example]) -> float:
    """Mean KL divergence from the full-precision model, in nats per token of the right answers."""
    total, count = 0.0, 0
    for example in examples:
        prompt = tokenizer.encode(prompt_text(example), add_special_tokens=False)
        answer = tokenizer.encode(example.answer + END, add_special_tokens=False)
        ids = torch.tensor([prompt + answer])
        p, q = (model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for model in (full, other))
        total += float(functional.kl_div(q, p, log_target=True, reduction="sum"))
        count += len(answer)
    return total / count


@torch.inference_mode()
def speed(model: Any, tokenizer: Any, rows: int, new: int = 64) -> float:
    """Generated tokens per second at a batch size; the end token is ignored, so all runs are as long."""
    prompt = tokenizer.encode(prompt_text(TASKS["order"](Random(1))), add_special_tokens=False)
    ids = torch.tensor([prompt] * rows)
    settings = {"attention_mask": torch.ones_like(ids), "do_sample": False, "eos_token_id": None}
    model.generate(input_ids=ids, max_new_tokens=8, **settings)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        model.generate(input_ids=ids, max_new_tokens=new, min_new_tokens=new, **settings)
        best = max(best, rows * new / (time.perf_counter() - started))
    return best


def quality_table(full: Any, tokenizer: Any, drawn: dict[str, list[Example]]) -> list[str]:
    lines = ["| format | KL | " + " | ".join(drawn) + " |", "|---" * (len(drawn) + 2) + "|"]
    sample = [example for route in AGAIN for example in drawn[route][:40]]
    for name in (FULL, *CONFIGS):
        model = in_format(full, name)
        cells = [f"{divergence(full, model, tokenizer, sample):.1e}"]
        for examples in drawn.values():
            valid, right = rates(model, tokenizer, examples)
            cells.append(f"{valid:.3f} / {right:.3f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def speed_table(full: Any, tokenizer: Any) -> list[str]:
    kept = "int4 per channel"
    models = {
        FULL: full,
        "int8": in_format(full, "int8", dequantize=False),
        "int4 per channel, as torchao keeps it": in_format(full, kept, dequantize=False),
        "int4 per channel, dequantised once": in_format(full, kept),
    }
    lines = ["| tokens/s, one thread | batch 1 | batch 8 |", "|---|---|---|"]
    for name, model in models.items():
        lines.append(f"| {name} | {speed(model, tokenizer, 1):.0f} | {speed(model, tokenizer, 8):.0f} |")
        print(lines[-1], flush=True)
    return lines


def write_between(document: Path, marker: str, lines: Sequence[str]) -> None:
    """Replaces what stands between `<!-- marker -->` and `<!-- /marker -->`."""
    before, _, rest = document.read_text().partition(f"<!-- {marker} -->\n")
    _, end, after = rest.partition(f"<!-- /{marker} -->")
    document.write_text(before + f"<!-- {marker} -->\n" + "\n".join(lines) + "\n" + end + after)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--count", type=int, default=250, help="held-out prompts a slice")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer: Any = AutoTokenizer.from_pretrained(options.model)
    full: Any = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    full.eval()
    quality = quality_table(full, tokenizer, slices(options.count))
    fast = speed_table(full, tokenizer)
    if not options.only_print:
        write_between(DOCUMENT, "quality", quality)
        write_between(DOCUMENT, "speed", fast)


if __name__ == "__main__":
    main()
