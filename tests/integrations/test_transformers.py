import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    T5Config,
    T5ForSequenceClassification,
    Trainer,
)

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.integrations.trainer_inputs import mixed_inputs
from overmix.integrations.transformers import STATE_FILE, MixTrainer
from tools.conformance.adapters.transformers import Classifier, Digits, arguments, trainer
from tools.conformance.task import SWITCHES, Setting, data

BACK = SWITCHES["goes back"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def bert():
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=3, **sizes)).eval()


def test_text_is_mixed_at_the_embeddings_with_both_masks():
    model, labels = bert(), torch.tensor([0, 1, 2, 0])
    ids = torch.arange(1, 25).view(4, 6)
    mask = torch.tensor([[1] * 6, [1] * 2 + [0] * 4, [1] * 4 + [0] * 2, [1] * 6])
    epoch = overmix.Epochs(1, mix=overmix.Mixup(alpha=1.0), seed=1).next_epoch()
    inputs, target, _ = mixed_inputs(epoch, model, {"input_ids": ids, "attention_mask": mask}, labels)
    again = overmix.Epochs(1, mix=overmix.Mixup(alpha=1.0), seed=1).next_epoch()
    plan = again.plan(torch.empty(4, 0), labels)
    words = model.get_input_embeddings()(ids)
    lam = plan.lam.view(-1, 1, 1)
    assert torch.allclose(inputs["inputs_embeds"], lam * words + (1 - lam) * words[plan.partner], atol=1e-6)
    assert torch.equal(inputs["attention_mask"], mask | mask[plan.partner])
    assert "input_ids" not in inputs
    target.cross_entropy(model(**inputs).logits, label_smoothing=0.1).backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0


def test_text_is_handed_through_when_mixing_is_off():
    epoch = overmix.Epochs(1, mix=overmix.Mixup(), switch=overmix.never()).next_epoch()
    given = {"input_ids": torch.arange(12).view(2, 6)}
    inputs, target, is_mixed = mixed_inputs(epoch, bert(), given, torch.tensor([0, 1]))
    assert inputs == given
    assert not is_mixed
    assert bool((target.lam == 1).all())


def gpt2():
    sizes = {"vocab_size": 20, "n_positions": 16, "n_embd": 16, "n_layer": 1, "n_head": 2}
    return GPT2ForSequenceClassification(GPT2Config(num_labels=2, pad_token_id=0, **sizes)).eval()


def llama():
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return LlamaForSequenceClassification(LlamaConfig(vocab_size=20, num_labels=2, pad_token_id=0, **sizes)).eval()


@pytest.mark.parametrize("make", [gpt2, llama])
def test_texts_of_a_model_that_takes_the_last_token_are_padded_on_the_left(make):
    model, labels = make(), torch.tensor([0, 1])
    epoch = overmix.Epochs(1, mix=overmix.Mixup(alpha=0), seed=1).next_epoch()
    right = torch.tensor([[5, 6, 7, 0, 0, 0, 0, 0], [5, 6, 7, 8, 9, 10, 11, 12]])
    with pytest.raises(DataError, match=r"^input_ids: 1 of 2 texts end with the padding token, 0, .* pad on the left"):
        mixed_inputs(epoch, model, {"input_ids": right, "attention_mask": (right > 0).long()}, labels)
    left = torch.tensor([[0, 0, 0, 0, 0, 5, 6, 7], [5, 6, 7, 8, 9, 10, 11, 12]])
    given = {"input_ids": left, "attention_mask": (left > 0).long()}
    inputs, _, is_mixed = mixed_inputs(epoch, model, given, labels)
    assert is_mixed
    assert torch.allclose(model(**inputs).logits, model(**given).logits, atol=1e-6)


def test_a_model_that_looks_for_the_end_among_tokens_is_refused():
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    model = T5ForSequenceClassification(T5Config(vocab_size=20, num_labels=2, **sizes))
    epoch = overmix.Epochs(1, mix=overmix.Mixup()).next_epoch()
    with pytest.raises(ConfigError, match="T5ForSequenceClassification': it finds the end of a text among its tokens"):
        mixed_inputs(epoch, model, {"input_ids": torch.ones(2, 3).long()}, torch.tensor([0, 1]))


class Weighted(Classifier):
    """Its loss has weights of classes; with **kwargs it is divided as Trainer says."""

    def forward(self, pixel_values, labels=None, num_items_in_batch=None, **kwargs):
        outputs = super().forward(pixel_values, labels)
        if labels is not None:
            losses = F.cross_entropy(outputs.logits, labels, torch.arange(1.0, 11.0), reduction="sum")
            outputs.loss = losses / (len(labels) if num_items_in_batch is None else num_items_in_batch)
        return outputs


class Configured(Classifier):
    """Trainer smooths labels of models with a configuration alone."""

    config = BertConfig()


class OnlyLogits(Classifier):
    def forward(self, pixel_values):
        return super().forward(pixel_values)


class NeedsLabels(Classifier):
    def forward(self, pixel_values, labels):
        return super().forward(pixel_values, labels)


def trained(make, folder, kind=MixTrainer, accumulate=1, smoothing=0.0, **settings):
    torch.manual_seed(0)
    few = {"num_train_epochs": 2, "eval_strategy": "no", "label_smoothing_factor": smoothing}
    few["remove_unused_columns"] = False  # labels too, of models that take none
    args = arguments(folder, Setting(accumulate=accumulate), **few)
    theirs = kind(model=make(), args=args, train_dataset=Digits(data()[0]), **settings)
    theirs.train()
    return [p.detach() for p in theirs.model.state_dict().values()]


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (Classifier, {}),
        (Configured, {"smoothing": 0.1}),
        (Weighted, {}),
        (Weighted, {"accumulate": 2}),
    ],
)
def test_while_it_does_not_mix_the_model_is_trained_as_trainer_does(tmp_path, make, settings):
    plain = trained(make, tmp_path, kind=Trainer, **settings)
    for mix in (None, overmix.Mixup()):
        off = trained(make, tmp_path, mix=mix, switch=overmix.never(), **settings)
        assert all(torch.equal(one, other) for one, other in zip(plain, off, strict=True))


def test_a_loss_of_the_models_own_is_refused_for_mixed_batches_unless_it_is_given(tmp_path):
    weight = torch.arange(1.0, 11.0)

    def given(outputs, target, num_items_in_batch=None):
        return target.cross_entropy(outputs.logits, weight)

    with pytest.raises(ConfigError, match=r"Weighted computes a loss of its own, .* give compute_loss_func="):
        trained(Weighted, tmp_path, mix=overmix.Mixup())
    trained(Weighted, tmp_path, mix=overmix.Mixup(), compute_loss_func=given)
    # What sees the loss leaves no trace in a model that has the usual one.
    mixed = trained(Classifier, tmp_path, mix=overmix.Mixup())
    without = trained(OnlyLogits, tmp_path, mix=overmix.Mixup())
    assert all(torch.equal(one, other) for one, other in zip(mixed, without, strict=True))
    with pytest.raises(ConfigError, match="model = 'NeedsLabels': a mixed batch has two labels for each sample"):
        trained(NeedsLabels, tmp_path, mix=overmix.Mixup())


def test_inputs_that_cannot_be_mixed():
    epoch = overmix.Epochs(1, mix=overmix.Mixup()).next_epoch()
    with pytest.raises(ConfigError, match="there is nothing to mix"):
        mixed_inputs(epoch, bert(), {"x": torch.zeros(2, 3)}, torch.tensor([0, 1]))
    with pytest.raises(DataError, match="classes of whole samples"):
        mixed_inputs(epoch, bert(), {"pixel_values": torch.zeros(2, 3)}, torch.zeros(2, 5))


class Stream(IterableDataset):
    def __iter__(self):
        digits, order = Digits(data()[0]), torch.Generator().manual_seed(0)
        while True:
            yield digits[int(torch.randint(len(digits), (1,), generator=order))]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_by_steps_over_a_stream(tmp_path, accumulate):
    looks = {"eval_strategy": "steps", "eval_steps": 7, "max_steps": 84}
    mixing = trainer(BACK, tmp_path, Setting(accumulate=accumulate), train_dataset=Stream(), **looks)
    mixing.train()
    assert (mixing.decision.switch_at, mixing.run.spent, mixing.state.global_step) == (4, 19, 84)
    assert [seen.mixing for seen in mixing.run.history] == [1.0] * 4 + [0.0] * 8
    assert mixing.run.steps == 84
    assert mixing.lr_scheduler.get_last_lr()[0] == pytest.approx(0.0, abs=1e-9)


def test_segments_have_no_gate(tmp_path):
    mixing = trainer(BACK, tmp_path, eval_strategy="steps", eval_steps=7, max_steps=84)
    with pytest.raises(ConfigError, match=r"segment = 7: its first batches are made before it begins"):
        _ = mixing.gate


def test_the_decision_is_logged_once_and_the_state_is_saved(tmp_path):
    mixing = trainer(BACK, tmp_path, save_strategy="epoch", logging_strategy="epoch")
    mixing.train()
    said = [row for row in mixing.state.log_history if "overmix/switch_at" in row]
    assert [row["overmix/switch_at"] for row in said] == [4.0]
    steps = [row["step"] for row in mixing.state.log_history]
    assert steps == sorted(steps)
    torch.load(tmp_path / "checkpoint-49" / STATE_FILE, weights_only=True)
    (tmp_path / "checkpoint-49" / STATE_FILE).unlink()
    with pytest.raises(OvermixError, match="resume from a checkpoint that a MixTrainer has saved"):
        trainer(BACK, tmp_path).train(resume_from_checkpoint=str(tmp_path / "checkpoint-49"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eval_strategy": "no"}, "a policy looks once an epoch"),
        ({"num_train_epochs": 2.5}, "use whole epochs"),
        ({"max_steps": 84}, "give the optimizer steps that stand for an epoch"),
        ({"segment": 7}, "set args.max_steps too"),
        ({"load_best_model_at_end": True, "save_strategy": "epoch"}, "leave it out"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau", "metric_for_best_model": "loss"}, "follows the steps"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        trainer(BACK, tmp_path, **settings)
