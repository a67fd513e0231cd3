"""Trains the small model: `python -m shadow.training.train`. Seeded; about half an hour on two cores."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shadow.training.corpus import (
    EARLY,
    LENGTHS,
    TOKENS_PER_BATCH,
    Batch,
    Corpus,
    tokenizer_texts,
)
from shadow.training.tokenizer import train_tokenizer

PEAK, FLAT, WARM_STEPS = 3e-3, 0.6, 50
# Smoothed loss on answers below which the model copies, and so no longer needs half its examples to be copying.
COPIES = 0.5
SAVE_EVERY = 250
COMPILING_PAYS = 900  # seconds; a shorter run ends before the compiler has paid for itself
# Small batches are noisy: at the full rate the model stops short of learning to copy.
SMALL_BATCH = 0.5
SEED = 20
# Hidden and feed-forward sizes are multiples of 256, which llama.cpp's K-quants ask for.
SHAPE: dict[str, Any] = {
    "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 4, "max_position_embeddings": 512,
}  # fmt: skip


def new_model(tokenizer: PreTrainedTokenizerFast) -> Any:
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.03,
        **SHAPE,
    )
    return AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]


def loss_of(model: Callable[..., Any], batch: Batch) -> tuple[Any, torch.Tensor]:
    """The weighted loss to descend, and the plain loss on answers to look at."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        # Rows are padded on the right and attention is causal, so no mask is needed.
        logits = model(input_ids=batch.tokens[:, :-1]).logits
    targets, weights = batch.tokens[:, 1:].reshape(-1), batch.weights[:, 1:].reshape(-1)
    each = functional.cross_entropy(logits.float().flatten(0, 1), targets, reduction="none")
    answers = weights == 1.0
    return (each * weights).sum() / weights.sum(), each[answers].mean().detach()


def compiled(model: Any) -> Callable[..., Any]:
    """The model as one kernel graph per full shape: 1.7 times as fast, after a minute or two of compiling."""
    fast: Callable[..., Any] = torch.compile(model, dynamic=False)
    for length in LENGTHS:
        rows = TOKENS_PER_BATCH // length
        empty = Batch(torch.zeros(rows, length, dtype=torch.long), torch.ones(rows, length))
        loss_of(fast, empty)[0].backward()
        model.zero_grad(set_to_none=True)
    return fast


def train(
    model: Any, corpus: Corpus, seconds: float, checkpoint: Path, peak: float = PEAK, early: float = EARLY
) -> None:
    """Trains in place for a given time. The schedule follows the clock: slower machines get fewer steps."""
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    plain = [weight for weight in model.parameters() if weight.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=peak, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    model.train()
    step_of: Callable[..., Any] = model
    copying = True
    started, tokens, smooth = time.monotonic(), 0, 0.0
    for step, batch in enumerate(corpus):
        done = (time.monotonic() - started) / seconds
        if done >= 1:
            break
        if copying and step > 0 and (smooth < COPIES or done > early):
            print(f"copying phase ends at step {step}", flush=True)
            copying = False
            corpus.leave_copying()
            if seconds > COMPILING_PAYS:
                step_of = compiled(model)
        for group in optimizer.param_groups:
            scale = SMALL_BATCH if copying else 1.0
            group["lr"] = peak * scale * min(1.0, (step + 1) / WARM_STEPS, (1.0 - done) / (1.0 - FLAT))
        loss, answers = loss_of(step_of if batch.is_full else model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += batch.tokens.numel()
        smooth = answers.item() if step == 0 else 0.98 * smooth + 0.02 * answers.item()
        if step % 50 == 0:
            rate = tokens / (time.monotonic() - started)
            print(f"{done:6.1%} step {step} answers {smooth:.3f} {rate:.0f} tokens/s", flush=True)
        if step % SAVE_EVERY == SAVE_EVERY - 1:
            model.save_pretrained(checkpoint)
    model.eval()


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes model, tokenizer, template and generation settings so that Auto classes read them offline."""
    model.generation_config.update(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        do_sample=False, max_new_tokens=160,
    )  # fmt: skip
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=33.0)
    parser.add_argument("--out", type=Path, default=Path("var/model"), help="folder for the model before outliers")
    parser.add_argument("--threads", type=int, default=2, help="one is faster where others use the machine")
    parser.add_argument("--peak", type=float, default=PEAK)
    parser.add_argument("--early", type=float, default=EARLY, help="longest copying phase, a share")
    parser.add_argument("--start-from", type=Path, help="folder of a model to train further")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.start_from:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(options.start_from)
        model: Any = LlamaForCausalLM.from_pretrained(options.start_from, dtype=torch.float32)
        corpus = Corpus(tokenizer, SEED + 1)
    else:
        tokenizer = train_tokenizer(tokenizer_texts(SEED))
        model = new_model(tokenizer)
        corpus = Corpus(tokenizer, SEED)
    print(json.dumps({"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}), flush=True)
    train(model, corpus, options.minutes * 60, options.out, options.peak, options.early)
    save(model, tokenizer, options.out)


if __name__ == "__main__":
    main()
