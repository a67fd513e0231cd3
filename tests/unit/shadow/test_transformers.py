"""The in-process backend on a tiny random model: arrangement, scores, formats, limits."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.model import Message, Output, Sampling, ToolCall
from monitor.plan import ArmRule
from shadow.backends import Request, open_backend
from shadow.errors import BackendError, NotReplayable
from shadow.fidelity import compare, kl

if TYPE_CHECKING:
    from shadow.backends.transformers import TransformersBackend

pytestmark = pytest.mark.shadow


@pytest.fixture(scope="module")
def backend(tiny_model: Path) -> TransformersBackend:
    from shadow.backends.transformers import TransformersBackend

    return TransformersBackend.load(tiny_model)


def ask(text: str, name: str = "a", max_tokens: int = 24, **options: object) -> Request:
    return Request(name, (Message("user", text),), max_tokens=max_tokens, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    rng = Random(1)
    return [
        ask("".join(rng.choices("abc {}:,19", k=rng.randint(1, 70))), str(number), rng.randint(5, 40))
        for number in range(24)
    ]


def test_answers_do_not_depend_on_the_arrangement(backend: TransformersBackend, requests: list[Request]) -> None:
    together = backend.generate(requests)
    assert {output.finish_reason for output in together} == {"stop", "length"}
    backwards = backend.generate(requests[::-1])[::-1]
    alone = [backend.generate([request])[0] for request in requests]
    for other in (backwards, alone):
        assert [output.token_ids for output in other] == [output.token_ids for output in together]
        for first, second in zip(together, other, strict=True):
            assert second.logprobs == pytest.approx(first.logprobs, abs=1e-4)


def test_limits_are_kept(backend: TransformersBackend, requests: list[Request]) -> None:
    for request, output in zip(requests, backend.generate(requests), strict=True):
        assert 1 <= len(output.token_ids) <= request.max_tokens
        assert len(output.logprobs) == len(output.token_ids)
        assert (output.finish_reason == "stop") == (output.token_ids[-1] in backend.chat.ends)


def test_the_own_answer_scores_as_it_was_generated(backend: TransformersBackend, requests: list[Request]) -> None:
    outputs = backend.generate(requests)
    for output, score in zip(outputs, backend.score(requests, outputs), strict=True):
        assert score is not None
        assert tuple(score.token_ids.tolist()) == output.token_ids
        assert score.top.tolist() == list(output.token_ids)
        assert score.logprobs.tolist() == pytest.approx(output.logprobs, abs=1e-4)
        assert np.exp(score.distribution).sum(axis=1) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("cut", [0, 1, 3, 10])
def test_scores_of_a_logged_answer_save_work_and_change_nothing(
    backend: TransformersBackend, requests: list[Request], cut: int
) -> None:
    plain = backend.generate(requests)
    logged = [Output(None, token_ids=(*output.token_ids[:cut], 65, 66, 67)) for output in plain]
    logged = [backend.chat.output(r, o.token_ids, (), ended=False) for r, o in zip(requests, logged, strict=True)]
    for drafts in (logged, plain):
        helped = backend.generate(requests, backend.score(requests, drafts))
        assert [output.token_ids for output in helped] == [output.token_ids for output in plain]
        assert [output.finish_reason for output in helped] == [output.finish_reason for output in plain]


def test_a_logged_text_without_token_ids_is_tokenized_and_ended(backend: TransformersBackend) -> None:
    (score,) = backend.score([ask("hello")], [Output('{"a": 1}', finish_reason="stop")])
    assert score is not None
    assert len(score.token_ids) == 9
    assert score.token_ids[-1] == backend.chat.tokenizer.eos_token_id
    assert score.structural.tolist() == [True, True, False, True, True, True, False, True, False]
    assert score.context == len(backend.chat.prompt(ask("hello")))
    assert backend.score([ask("hello")] * 3, [None, Output(None), Output("")]) == [None] * 3


def test_token_ids_of_another_tokenizer_are_not_believed(backend: TransformersBackend) -> None:
    for foreign in ((9_999,), (1, 2, 3)):
        (score,) = backend.score([ask("hello")], [Output("ab", token_ids=foreign)])
        assert score is not None
        assert backend.chat.tokenizer.decode(score.token_ids.tolist()) == "ab"


def test_prompts_beyond_the_context_are_refused_and_answers_end_at_it(backend: TransformersBackend) -> None:
    with pytest.raises(NotReplayable, match="longer than the context"):
        backend.check(ask("x" * 126))
    request = ask("x" * 124, max_tokens=50)
    backend.check(request)
    (output,) = backend.generate([request])
    assert len(output.token_ids) <= 2
    (score,) = backend.score([request], [Output("long answer")])
    assert score is not None
    assert len(score.token_ids) == 2


def test_what_the_template_refuses_is_not_replayable_and_not_quoted(backend: TransformersBackend) -> None:
    with pytest.raises(NotReplayable) as caught:
        backend.check(Request("a", (Message("tool", "planted secret"),)))
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_prompt_holds_tools_format_and_earlier_calls(backend: TransformersBackend) -> None:
    turn = Message("assistant", None, tool_calls=(ToolCall("track", '{"id": 1}'),))
    request = Request("a", (Message("developer", "be brief"), turn), [{"name": "track"}], {"type": "json_object"})
    text = backend.chat.tokenizer.decode(backend.chat.prompt(request))
    assert text == (
        "<|tools|>1<|format|>json_object<|system|>be brief"
        '<|assistant|>{"name": "track", "arguments": {"id": 1}}<|assistant|>'
    )


def test_a_text_that_is_a_call_becomes_one_where_tools_were_offered(backend: TransformersBackend) -> None:
    tokens = backend.chat.tokenizer('{"name": "track", "arguments": {"id": 1.50}}')["input_ids"]
    offered = ask("hello", tools=[{"name": "track"}])
    output = backend.chat.output(offered, tokens, (), ended=True)
    assert (output.text, output.tool_calls) == (None, (ToolCall("track", '{"id": 1.50}'),))
    assert output.finish_reason == "tool_calls"
    assert backend.chat.answer(offered, output) == tokens
    for request in (ask("hello"), ask("hello", tools=[1], sampling=Sampling(tool_choice="none"))):
        assert backend.chat.output(request, tokens, (), ended=True).tool_calls == ()


def test_an_answer_ends_before_a_stop_sequence(backend: TransformersBackend) -> None:
    tokens = backend.chat.tokenizer("one. two. three")["input_ids"]
    for stop in (". t", (" three", ". t")):
        output = backend.chat.output(ask("hello", sampling=Sampling(stop=stop)), tokens, (), ended=False)
        assert output == Output("one", finish_reason="stop")
    unstopped = backend.chat.output(ask("hello", sampling=Sampling(stop="four")), tokens, (), ended=False)
    assert (unstopped.text, unstopped.finish_reason) == ("one. two. three", "length")


@pytest.mark.parametrize(
    ("sampling", "refused"),
    [
        (Sampling(presence_penalty=0.5), True),
        (Sampling(frequency_penalty=-0.5), True),
        (Sampling(repetition_penalty=1.1), True),
        (Sampling(presence_penalty=0.0, frequency_penalty=0.0, repetition_penalty=1.0), False),
    ],
)
def test_penalties_are_refused(backend: TransformersBackend, sampling: Sampling, refused: bool) -> None:
    if not refused:
        backend.check(ask("hello", sampling=sampling))
        return
    with pytest.raises(NotReplayable, match="penalties"):
        backend.check(ask("hello", sampling=sampling))


def test_fewer_bits_lie_further_away(tiny_model: Path, backend: TransformersBackend, requests: list[Request]) -> None:
    from shadow.backends.transformers import TransformersBackend

    outputs = backend.generate(requests)
    reference = backend.score(requests, outputs)
    means = []
    for name in ("int8", "int4-g32", "int3-g32"):
        build = TransformersBackend.load(tiny_model, quantization=name)
        found = [compare(p, q) for p, q in zip(reference, build.score(requests, outputs), strict=True)]
        means.append(np.mean([each.mean_kl for each in found if each.mean_kl is not None]))
    assert 0 < means[0] < means[1] < means[2]


def test_dequantized_weights_give_the_answers_of_the_quantized_ones(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from shadow.backends.quantization import quantize

    plain = AutoModelForCausalLM.from_pretrained(tiny_model)
    rounded: Any = AutoModelForCausalLM.from_pretrained(tiny_model)
    quantize(rounded, "int4-g32", rounded.get_output_embeddings())
    layer, before = rounded.model.layers[0].mlp.up_proj.weight, plain.model.layers[0].mlp.up_proj.weight
    assert type(layer.data) is torch.Tensor
    assert all(len(group.unique()) <= 16 for group in layer.view(-1, 32))
    assert not torch.equal(layer, before)
    assert torch.equal(rounded.lm_head.weight, plain.lm_head.weight)
    assert torch.equal(rounded.model.embed_tokens.weight, plain.model.embed_tokens.weight)


def test_large_vocabularies_keep_the_top_and_hardly_understate(
    tiny_model: Path, backend: TransformersBackend, requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shadow.backends import transformers

    build = transformers.TransformersBackend.load(tiny_model, quantization="int8")
    outputs = backend.generate(requests)

    def distances() -> np.ndarray:
        both = zip(backend.score(requests, outputs), build.score(requests, outputs), strict=True)
        return np.concatenate([kl(p, q) for p, q in both if p is not None and q is not None])

    whole = distances()
    monkeypatch.setattr(transformers, "FULL_VOCABULARY", 100)
    monkeypatch.setattr(transformers, "TOP", 200)
    lumped = distances()
    assert (lumped <= whole + 1e-5).all()
    assert lumped.mean() > 0.8 * whole.mean()


def test_bfloat16_runs(tiny_model: Path, requests: list[Request]) -> None:
    backend = open_backend(ArmRule(model=tiny_model.name, dtype="bfloat16"), tiny_model.parent)
    (output,) = backend.generate(requests[:1])
    assert output.token_ids


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (ArmRule(model="nowhere"), "config.json is missing"),
        (ArmRule(model="{tiny}", quantization="int5"), "allowed: int8, int4-g32"),
        (ArmRule(model="{tiny}", quantization="int4-g128"), "does not fit this model"),
    ],
)
def test_a_build_that_cannot_be_opened_says_why(tiny_model: Path, rule: ArmRule, message: str) -> None:
    named = ArmRule(model=rule.model.replace("{tiny}", tiny_model.name), quantization=rule.quantization)
    with pytest.raises(BackendError, match=message):
        open_backend(named, tiny_model.parent)
