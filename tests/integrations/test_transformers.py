import pytest
import torch
from torch.utils.data import IterableDataset
from transformers import BertConfig, BertForSequenceClassification

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.integrations.trainer_inputs import mixed_inputs
from overmix.integrations.transformers import STATE_FILE
from tools.conformance.adapters.transformers import Digits, trainer
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
    inputs, target = mixed_inputs(epoch, model, {"input_ids": ids, "attention_mask": mask}, labels)
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
    inputs, target = mixed_inputs(epoch, bert(), given, torch.tensor([0, 1]))
    assert inputs == given
    assert bool((target.lam == 1).all())


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
