import sys

import mlflow
import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.integrations import trackers
from overmix.switch import Decision, Policy


class Sink:
    def __init__(self):
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, metrics))


class Back(Policy):
    def decide(self, history):
        keep = 1 if history.done >= 1 else None
        return Decision(1, "so it is written") if history.done >= 3 else Decision(None, "it waits", keep=keep)


def run(switch, log):
    model = torch.nn.Linear(3, 4)
    state = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}
    made = overmix.Epochs(5, mix=overmix.Mixup(), switch=switch, state=state)
    for epoch in made:
        x, target = epoch.mix(torch.rand(4, 3), torch.arange(4))
        epoch.observe_loss(target.cross_entropy(model(x)), target)
        epoch.observe(model(torch.rand(4, 3)), torch.arange(4))
        log(made)
    return made


def test_steps_never_go_back_in_a_run_that_does():
    live, after = Sink(), Sink()
    made = run(Back(), lambda made: trackers.log(made, live))
    trackers.log(made, after)
    trackers.log(made, after)  # nothing is new
    assert [step for step, _ in live.rows] == [step for step, _ in after.rows] == [0, 1, 2, 3, 4]
    assert [row["overmix/mixing"] for _, row in after.rows] == [1, 0, 0, 0, 0]
    assert [row["overmix/val/brier"] for _, row in after.rows] == [seen.brier for seen in made.history]
    last = after.rows[-1][1]
    assert (last["overmix/switch_at"], last["overmix/cost_so_far"]) == (1, made.cost)
    assert last["overmix/above_floor"] == made.fits[-1].above_floor


def test_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        run(overmix.off_at(2), lambda made: trackers.log(made, writer))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(one.step, one.value) for one in events.Scalars("overmix/mixing")] == list(enumerate([1, 1, 0, 0, 0]))
    assert "overmix/decision/text_summary" in events.Tags()["tensors"]


@pytest.mark.filterwarnings("ignore")
def test_mlflow_as_a_module_and_as_a_client(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    client = mlflow.MlflowClient()
    with mlflow.start_run() as active:
        run(overmix.off_at(2), lambda made: trackers.log(made, mlflow))
        run_id = active.info.run_id
    other = client.create_run(active.info.experiment_id).info.run_id
    run(overmix.off_at(2), lambda made: trackers.log(made, client, run_id=other))
    for one in (run_id, other):
        curve = client.get_metric_history(one, "overmix/mixing")
        assert [(point.step, point.value) for point in curve] == list(enumerate([1, 1, 0, 0, 0]))
        assert "overmix.decision" in client.get_run(one).data.tags


def test_sinks_that_take_nothing():
    made = run(overmix.never(), lambda made: None)
    with pytest.raises(ConfigError, match="log_metrics"):
        trackers.log(made, object())
    with pytest.raises(ConfigError, match="run_id"):
        trackers.log(made, mlflow.MlflowClient())


def test_it_needs_no_tracker_installed():
    assert not {"mlflow", "tensorboard"} & set(vars(sys.modules["overmix.integrations.trackers"]))
