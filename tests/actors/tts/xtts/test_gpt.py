"""The transformer's loop gives coqui-tts's own tokens; what is drawn belongs to its request alone."""

# pyright: reportMissingImports=false
from __future__ import annotations

import tests.actors.tts.xtts.needs  # isort: skip  # noqa: F401  # skips this file where coqui-tts is missing

from typing import Any

import numpy as np
import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor

from actors.tts.xtts.choosing import Taste, choose
from actors.tts.xtts.gpt import Gpt
from actors.tts.xtts.together import Request, Together
from tests.actors.tts.xtts import tiny

GREEDY = Taste(temperature=0)
TEXTS = ("hello there, my friend.", "no", "what a long and winding sentence this is, is it not?")

VOICE = torch.randn(1, 32, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny.xtts()._model


def prompts(gpt: Gpt, model: Any) -> list[torch.Tensor]:
    return [gpt.prompt(VOICE, model.tokenizer.encode(text, "en")) for text in TEXTS]


def run(gpt: Gpt, requests: list[Request], late: int = 0) -> list[Request]:
    """All to their ends; the last ones enter ``late`` steps after the first."""
    together = Together(gpt)
    together.enter(requests[0])
    together.advance(late)
    for request in requests[1:]:
        together.enter(request)
    while not all(request.done for request in requests):
        together.advance(1)
    return requests


def test_latents_are_coquis_and_the_likeliest_tokens_those_of_the_published_rule(model: Any) -> None:
    """Its transformer over the whole text at once, without a cache; transformers' own rule against repetition."""
    gpt, rule = Gpt(model.gpt, 2, GREEDY), RepetitionPenaltyLogitsProcessor(5.0)
    for text, prompt in zip(TEXTS, prompts(gpt, model), strict=True):
        [ours] = run(gpt, [Request(prompt, 1)])
        words = torch.tensor([model.tokenizer.encode(text, "en")])
        sizes = torch.tensor([words.shape[1]]), torch.tensor([len(ours.tokens) * model.gpt.code_stride_len])
        codes = torch.tensor([ours.tokens])
        theirs = model.gpt(words, sizes[0], codes, sizes[1], cond_latents=VOICE, return_latent=True)[0]
        assert theirs.std() > 0.1
        assert (torch.stack(ours.latents) - theirs).abs().max() < 1e-4
        written = [1] * len(prompt) + [model.gpt.start_audio_token]
        for token, scores in zip(ours.tokens, model.gpt.mel_head(theirs), strict=True):
            assert token == int(rule(torch.tensor([written]), scores[None]).argmax())
            written.append(token)


@pytest.mark.parametrize("taste", [GREEDY, Taste()], ids=["likeliest", "drawn"])
def test_a_request_gets_the_same_bits_alone_and_among_others(model: Any, taste: Taste) -> None:
    gpt = Gpt(model.gpt, 4, taste)
    given = prompts(gpt, model)
    alone = [run(gpt, [Request(prompt, seed)])[0] for seed, prompt in enumerate(given)]
    many = run(gpt, [Request(prompt, seed) for seed, prompt in enumerate(given)], late=7)
    for one, other in zip(alone, many, strict=True):
        assert one.tokens == other.tokens
        assert torch.equal(torch.stack(one.latents), torch.stack(other.latents))
    assert len({tuple(one.tokens) for one in alone}) > 1


def test_more_requests_than_rows_wait_and_one_that_left_makes_room(model: Any) -> None:
    gpt = Gpt(model.gpt, 2, Taste())
    together, given = Together(gpt), prompts(gpt, model)
    first, second, third, gone = (Request(given[k % 3], k) for k in range(4))
    for request in (first, second, gone, third):
        together.enter(request)
    together.leave(gone)
    together.advance(3)
    assert [len(one.tokens) for one in (first, second, third, gone)] == [3, 3, 0, 0]
    together.leave(first)
    together.advance(2)
    assert [len(one.tokens) for one in (first, second, third, gone)] == [3, 5, 2, 0]


def test_chance_is_the_requests_own(model: Any) -> None:
    gpt = Gpt(model.gpt, 2, Taste())
    prompt = prompts(gpt, model)[0]
    before = torch.random.get_rng_state()
    one, same = (run(gpt, [Request(prompt, 5)])[0].tokens for _ in range(2))
    other = run(gpt, [Request(prompt, 6)])[0].tokens
    assert one == same != other
    assert torch.equal(torch.random.get_rng_state(), before), "torch's global generator was not asked"


# ---- which token -------------------------------------------------------------------------------------------

SCORES = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
NONE = torch.zeros(1, 4, dtype=torch.bool)


def drawn(number: float, taste: Taste, used: torch.Tensor = NONE) -> int:
    return int(choose(SCORES, used, torch.tensor([number]), taste))


def test_each_token_comes_as_often_as_the_scores_say() -> None:
    taste = Taste(temperature=1, top_p=1, repetition=1)
    counts = np.bincount([drawn((k + 0.5) / 1000, taste) for k in range(1000)], minlength=4) / 1000
    assert np.abs(counts - SCORES[0].softmax(0).numpy()).max() < 0.002


def test_only_the_likeliest_ones_may_come() -> None:
    assert {drawn(k / 100, Taste(1.0, 2, 1.0, 1.0)) for k in range(100)} == {0, 1}
    assert {drawn(k / 100, Taste(1.0, 4, 0.7, 1.0)) for k in range(100)} == {0, 1}
    assert {drawn(k / 100, Taste(1.0, 4, 0.6, 1.0)) for k in range(100)} == {0}
    assert drawn(1.0, Taste(1.0, 4, 1.0, 1.0)) == 3, "a number that was rounded up to 1 is still a token"


def test_a_token_that_was_used_is_less_likely_whatever_the_sign_of_its_score() -> None:
    used = torch.tensor([[True, False, False, False]])
    assert (drawn(0, GREEDY), drawn(0, GREEDY, used)) == (0, 1)
    less = choose(torch.tensor([[-1.0, -2.0]]), torch.tensor([[True, False]]), torch.zeros(1), GREEDY)
    assert int(less) == 1
