"""Prompt tuning of a CLIP: what is learned, what stays, and known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems import prompts
from overmix.experiments.census.systems.prompts import (
    BASE,
    CLOTHES,
    LENGTH,
    STYLES,
    TEMPLATE,
    WORDS,
    ClipPrompts,
    captioned,
    new_clip,
    styled,
    tokens,
    trained_clip,
)
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.recipes import PromptMixup
from overmix.switch import always

from .conftest import needs_fashion

pytest.importorskip("transformers")
TUNED = "error among tuned classes"


def test_captions_are_words_between_start_and_end():
    ids = tokens(("a", "noisy", "photo", "of", "a", "dark", "sandal"))
    assert [WORDS[i] for i in ids] == ["<start>", *"a noisy photo of a dark sandal".split(), "<end>", "<end>"][:LENGTH]
    with pytest.raises(ValueError, match="not in tuple"):
        tokens(("giraffe",))


def test_a_caption_says_what_is_seen():
    x = torch.zeros(300, 1, 28, 28, dtype=torch.uint8)
    x[:, :, 4:24, 4:24] = 250
    samples = Samples(x, torch.arange(300) % 10)
    views, ids = captioned(samples, np.random.default_rng(0))
    said = [{WORDS[i] for i in row} for row in ids.tolist()]
    assert all(CLOTHES[int(y)] in words for y, words in zip(samples.y, said, strict=True))
    assert not any({"dark", "grey"} & words for words in said)
    assert 0.4 < np.mean(["bright" in words for words in said]) < 0.6
    inverted = [i for i, words in enumerate(said) if "inverted" in words]
    assert len(inverted) > 10
    assert (views[inverted].mean((1, 2, 3)) < 0.6).all()
    assert 0 <= float(views.min()) <= float(views.max()) <= 1


@pytest.mark.parametrize("style", STYLES)
def test_a_style_keeps_grey_values(style):
    x = torch.rand(3, 1, 28, 28)
    seen = styled(x, style, np.random.default_rng(0))
    assert seen.shape == x.shape
    assert 0 <= float(seen.min()) <= float(seen.max()) <= 1


@pytest.fixture
def untrained(monkeypatch):
    """A CLIP that nobody trained; what holds of it holds of any."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = new_clip().eval().requires_grad_(False)
    monkeypatch.setattr(prompts, "trained_clip", lambda images, steps: clip)
    return clip


def test_untuned_words_are_the_prompt_written_by_hand(untrained):
    features = torch.randn(7, 32)
    ids = torch.tensor([tokens((*TEMPLATE, name)) for name in CLOTHES])
    texts = untrained.get_text_features(input_ids=ids)
    texts = texts if isinstance(texts, torch.Tensor) else texts.pooler_output
    cosines = torch.nn.functional.normalize(features, dim=1) @ torch.nn.functional.normalize(texts, dim=1).T
    model = ClipPrompts().model().eval()
    torch.testing.assert_close(model.logits(features, slice(None)), untrained.logit_scale.exp() * cosines)
    torch.testing.assert_close(model(features), model.logits(features, slice(None))[:, :BASE])


def test_the_words_alone_are_learned_and_no_two_prompts_share_them(untrained):
    task = ClipPrompts()
    model, other = task.model(), task.model()
    (learned,) = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learned.endswith("context")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = task.optimizer(model)
    task.plain(model, Samples(torch.randn(10, 32), torch.arange(10) % BASE)).backward()
    optimizer.step()
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == [learned]
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


@needs_fashion
def test_the_metric_is_the_harmonic_mean_of_both_accuracies(untrained):
    task = ClipPrompts(shots=1, train_size=5, test_size=300)
    data = task.data(Streams(replica_seed=0))
    assert data.train.y.tolist() == [0, 1, 2, 3, 4]
    assert data.val.y.max() < BASE <= data.test.y.max()
    score = evaluated(lambda: task.score(model, data.test), model := task.model())
    base, new = (1 - wrong for wrong in score.further.values())
    assert 1 - score.value == pytest.approx(2 / (1 / base + 1 / new)) if base and new else score.value == 1
    assert evaluated(lambda: task.score(model, data.val), model).further == {}


@needs_fashion
def test_a_clip_is_trained_twice_to_the_same_bits():
    task = ClipPrompts(test_size=10, pretraining=(200, 3))

    def features():
        trained_clip.cache_clear()
        return task.data(Streams(replica_seed=0)).train.x

    assert torch.equal(features(), features())


@pytest.mark.slow
@needs_fashion
def test_a_clip_learns_from_captions_and_words_from_labels_and_neither_from_shuffled_ones(monkeypatch):
    task = ClipPrompts(test_size=1000, pretraining=(2000, 120))
    monkeypatch.setattr(prompts, "DOWNSTREAM", ("clean",))
    pool, test = prompts.clothes()

    seen = task.data(Streams(replica_seed=0))
    untuned = task.baseline("zero-shot", seen)
    assert untuned.value < 0.55

    def tuned(y):
        fit = replace(seen, train=Samples(seen.train.x, y))
        model, _ = train(task, fit, PromptMixup(), always(), 0)
        return evaluated(lambda: task.score(model, seen.test), model).further[TUNED]

    y = seen.train.y
    assert tuned(y) < untuned.further[TUNED] - 0.01
    assert tuned(y[torch.from_numpy(np.random.default_rng(0).permutation(len(y)))]) > untuned.further[TUNED] + 0.05

    order = torch.from_numpy(np.random.default_rng(0).permutation(len(pool)))
    monkeypatch.setattr(prompts, "clothes", lambda: (Samples(pool.x, pool.y[order]), test))
    trained_clip.cache_clear()
    shuffled = task.baseline("zero-shot", task.data(Streams(replica_seed=0))).value
    trained_clip.cache_clear()
    assert shuffled > 0.7  # chance is 0.8
