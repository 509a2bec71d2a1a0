"""``print(run)`` says in a line where a run stands."""

import overmix
from overmix.switch import AutoSwitch


def test_a_run_by_policy_says_what_was_mixed_and_decided(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1, decide_at=2, switch_at=2))
    shown = [str(run)]
    for epoch in run:
        training.body(epoch)
        shown.append(str(run))
    shown.append(str(run))
    state = "state: model, optimizer, scheduler)"
    assert shown == [
        f"Epochs(0 of 6 epochs done; Scripted: undecided; {state}",
        f"Epochs(epoch 0 of 0 to 5: 3 of 3 batches mixed; Scripted: undecided; {state}",
        f"Epochs(epoch 1 of 0 to 5, in a probe after 1: 0 of 3 batches mixed; Scripted: undecided; {state}",
        f"Epochs(epoch 1 of 0 to 5: 3 of 3 batches mixed; Scripted: undecided; {state}",
        *[
            f"Epochs(epoch {index} of 0 to 5: 0 of 3 batches mixed; Scripted: off after 2 epochs; {state}"
            for index in (2, 3, 4, 5)
        ],
        f"Epochs(6 of 6 epochs done; Scripted: off after 2 epochs; {state}",
    ]


def test_a_run_by_schedule_or_without_a_recipe_says_what_it_can():
    run = overmix.Epochs(3, mix=overmix.Mixup(), switch=overmix.off_at(1))
    assert repr(run) == "Epochs(0 of 3 epochs done; OffAt(when=1); state: None)"
    run.next_epoch()
    assert repr(run) == "Epochs(epoch 0 of 0 to 2: no batch yet; OffAt(when=1); state: None)"
    gated = overmix.Epochs(2, switch=overmix.off_at(1))
    shown = [str(gated) for epoch in gated if epoch.on is not None]
    assert [line.partition(": ")[2].partition(";")[0] for line in shown] == ["on", "off"]
    short = overmix.Epochs(2, switch=AutoSwitch())
    for _ in short:
        pass
    assert str(short) == "Epochs(2 of 2 epochs done; AutoSwitch: on to the end; state: None)"
