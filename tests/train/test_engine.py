import numpy as np
import pytest
import torch
import torch.nn.functional as F

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import BetaCoefficient, FixedCoefficient, RandomPairing, Recipe
from overmix.switch import Epochs
from overmix.train import METRICS, SGD, LRSchedule, Normalization
from overmix.train.dropout import KeyedDropout
from overmix.train.plan import Planner
from overmix.train.resident import Labels
from overmix.train.stacked_model import seeded_model

EXECUTIONS = ["stacked", "looped"]
ERM, MIXUP = overmix.NoMixup(), overmix.Mixup(alpha=1.0)
CPU = torch.device("cpu")


def assert_identical(one, other, replicas=slice(None), others=None):
    """Compare results bit for bit, NaN included."""
    others = replicas if others is None else others
    for name in METRICS:
        np.testing.assert_array_equal(one.metrics[name][replicas], other.metrics[name][others], err_msg=name)
    for name in ("mix_loss", "mixing", "lr", "wrong"):
        np.testing.assert_array_equal(getattr(one, name)[replicas], getattr(other, name)[others], err_msg=name)


def assert_close(one, other, replicas=slice(None), others=None):
    """Compare results up to float32's rounding, which a dozen steps do not yet magnify."""
    others = replicas if others is None else others
    for name in METRICS:
        np.testing.assert_allclose(one.metrics[name][replicas], other.metrics[name][others], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(one.mix_loss[replicas], other.mix_loss[others], rtol=1e-5)


def parameters_of(own, r=slice(None)):
    return {name: p.detach()[r].clone() for name, p in own.model.parameters.items()}


def assert_parameters_close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-6)


def assert_parameters_identical(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def mixed_runs(replica, **overrides):
    """ERM, Mixup and a switch in one stack."""
    return [
        replica(0, recipe=ERM, **overrides),
        replica(0, recipe=MIXUP, **overrides),
        replica(1, recipe=overmix.Mixup(alpha=0.5, per="sample"), schedule=overmix.off_at(2), **overrides),
    ]


# Stacked or looped, alone or in company, the same training.


@pytest.mark.parametrize(
    "name",
    ["mlp", "batch_norm", "dropout", "dropout_twice", "shared_dropout", "convnet", "convnet_dropout2d", "running_mean"],
)
def test_stacked_equals_looped(replica, training, models, name):
    results, parameters = [], []
    for execution in EXECUTIONS:
        own = training(mixed_runs(replica), models[name], execution)
        results.append(own.train())
        parameters.append(parameters_of(own))
    assert_close(*results)
    assert_parameters_close(*parameters)


@pytest.mark.parametrize("name", ["recurrent", "own_randomness", "unused_layer"])
def test_what_is_looped_over_is_a_function_of_its_seed_and_leaves_the_callers_generator_alone(
    replica, training, models, name
):
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(training(mixed_runs(replica), models[name], "looped").train())
        assert torch.equal(torch.get_rng_state(), before)
    assert_identical(*results)
    assert not np.array_equal(results[0].mix_loss[0], results[0].mix_loss[1])


@pytest.mark.parametrize("name", ["mlp", "batch_norm", "dropout"])
def test_a_replica_does_not_depend_on_its_company(replica, training, models, name):
    runs = mixed_runs(replica)
    together = training(runs, models[name]).train()
    turned = training(runs[::-1], models[name]).train()
    for r, run in enumerate(runs):
        assert_close(together, training([run], models[name]).train(), [r], [0])
        assert_close(together, turned, [r], [len(runs) - 1 - r])


@pytest.mark.parametrize("name", ["mlp", "batch_norm", "convnet"])
def test_in_a_loop_it_does_not_depend_on_its_company_by_a_bit(replica, training, models, name):
    runs = mixed_runs(replica)
    together = training(runs, models[name], "looped").train()
    for r, run in enumerate(runs):
        assert_identical(together, training([run], models[name], "looped").train(), [r], [0])


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize(("name", "lr"), [("mlp", 1e6), ("batch_norm", 1e30), ("dropout", 1e30)])
def test_a_diverged_replica_is_marked_and_the_others_do_not_change_by_a_bit(
    replica, training, models, name, execution, lr
):
    runs = [replica(seed) for seed in range(4)]
    sane = training(runs, models[name], execution)
    broken = training([runs[0], replica(1, lr=lr), *runs[2:]], models[name], execution)
    sane_result, broken_result = sane.train(), broken.train()
    assert sane_result.diverged.tolist() == [False] * 4
    assert broken_result.diverged.tolist() == [False, True, False, False]
    assert_identical(sane_result, broken_result, [0, 2, 3])
    assert_parameters_identical(parameters_of(sane, [0, 2, 3]), parameters_of(broken, [0, 2, 3]))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_erm_does_not_change_by_a_bit_when_its_company_mixes(replica, training, execution):
    plain = training([replica(0, recipe=ERM), replica(1, recipe=ERM)], execution=execution).train()
    mixed = training([replica(0, recipe=ERM), replica(1, recipe=MIXUP)], execution=execution).train()
    assert_identical(plain, mixed, [0])


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_learning_rate_and_weight_decay_belong_to_the_replica(replica, training, execution):
    settings = [
        {"lr": 0.1, "weight_decay": 0.0},
        {"lr": 0.01, "weight_decay": 0.1},
        {"lr": 0.05, "weight_decay": 1, "lr_schedule": LRSchedule("cosine", warmup=0.5)},
    ]
    runs = [replica(0, **setting) for setting in settings]
    together = training(runs, execution=execution)
    result = together.train()
    for r, run in enumerate(runs):
        alone = training([run], execution=execution)
        assert_close(result, alone.train(), [r], [0])
        assert_parameters_close(parameters_of(together, [r]), parameters_of(alone))
    assert len({float(loss) for loss in result.mix_loss[:, -1]}) == 3


# Oracles: loops written in plain PyTorch.


def standardised(own, r):
    return (own.data.x.float() - own.normalization.mean[r]) / own.normalization.std[r]


def plain_run(own, run, r, name, models):
    """What a reader of the paper would write, with dense soft labels, on data that are normalised beforehand."""
    model = seeded_model(models[name], run.streams.torch_seed("init"))
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=run.lr,
        momentum=own.stepper.optimizer.momentum,
        nesterov=own.stepper.optimizer.nesterov,
        weight_decay=run.weight_decay,
    )
    dropouts = [module for module in model.modules() if isinstance(module, KeyedDropout)]
    factors = run.lr_schedule.factors(own.epochs, own.steps_per_epoch)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factors[min(step, len(factors) - 1)])
    x, y = standardised(own, r), F.one_hot(own.data.y, own.data.num_classes).float()
    planner = Planner([run], Labels(own.data.y), (6,), own.epochs, 12, CPU)
    losses = []
    for epoch in range(own.epochs):
        plan, total = planner.epoch(epoch), 0.0
        for step in range(own.steps_per_epoch):
            for layer in dropouts:
                layer.key, layer.calls = plan.dropout_keys[step, 0], 0
            i, lam = plan.index[step, 0], plan.lam[step, 0, :, None]
            j = i[plan.partner[step, 0]]
            loss = F.cross_entropy(model(lam * x[i] + (1 - lam) * x[j]), lam * y[i] + (1 - lam) * y[j])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        losses.append(total / own.steps_per_epoch)
    return model, losses


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "dropout", "convnet"])
@pytest.mark.parametrize("optimizer", [SGD(0.0), SGD(0.9, nesterov=True)], ids=["plain", "nesterov"])
def test_the_engine_trains_as_a_plain_loop_does(replica, training, models, name, execution, optimizer):
    runs = mixed_runs(replica, weight_decay=5e-3, lr_schedule=LRSchedule("cosine", warmup=1.5))
    own = training(runs, models[name], execution, optimizer=optimizer)
    result = own.train()
    for r, run in enumerate(runs):
        model, losses = plain_run(own, run, r, name, models)
        expected = {key: p.detach() for key, p in model.named_parameters()}
        assert_parameters_close(parameters_of(own, r), expected)
        np.testing.assert_allclose(result.mix_loss[r], losses, rtol=1e-5)
        x_test = (own.data.x_test.float() - own.normalization.mean[r]) / own.normalization.std[r]
        with torch.no_grad():
            wrong = model.eval()(x_test).argmax(1) != own.data.y_test
        assert np.unpackbits(result.wrong[r, -1], count=result.n_test).tolist() == wrong.tolist()


@pytest.mark.parametrize("schedule", [overmix.always(), overmix.never(), overmix.off_at(2)], ids=str)
def test_the_engine_trains_as_a_users_loop_with_epochs_does(replica, training, models, schedule):
    # Nothing of the engine in it but the address of the weights and of the order.
    run = replica(3, recipe=MIXUP, schedule=schedule)
    own = training([run])
    own.train()
    x, y = standardised(own, 0), own.data.y
    model = seeded_model(models["mlp"], run.streams.torch_seed("init"))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.lr, momentum=0.9)
    for epoch in Epochs(own.epochs, mix=MIXUP, switch=schedule, seed=3):
        order = run.streams.generator("order", epoch=epoch.index).permutation(run.train_index)
        for index in torch.from_numpy(order[:36]).split(12):
            x_mixed, target = epoch.mix(x[index], y[index])
            optimizer.zero_grad()
            target.cross_entropy(model(x_mixed)).backward()
            optimizer.step()
    expected = {key: p.detach() for key, p in model.named_parameters()}
    assert_parameters_close(parameters_of(own, 0), expected)


# Twins.


def weights_over_time(own):
    seen = []
    own.train(after_step=lambda self: seen.append(parameters_of(self)))
    return seen


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_until_the_switch_a_switched_run_is_the_mixup_run_bit_for_bit(replica, training, models, execution):
    always, switched, erm = (
        weights_over_time(training([replica(0, **settings)], models["dropout"], execution))
        for settings in ({}, {"schedule": overmix.off_at(2)}, {"recipe": ERM})
    )
    steps = 3
    for step in range(2 * steps):
        assert_parameters_identical(always[step], switched[step])
    assert not torch.equal(always[2 * steps]["1.weight"], switched[2 * steps]["1.weight"])
    assert not torch.equal(always[0]["1.weight"], erm[0]["1.weight"])


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": MIXUP, "schedule": overmix.never()},
        {"recipe": MIXUP, "schedule": overmix.off_at(0)},
        {"recipe": overmix.Mixup(alpha=0)},
        {"recipe": Recipe(RandomPairing(), FixedCoefficient(1.0))},
    ],
)
def test_every_way_to_mix_nothing_is_erm_bit_for_bit(replica, training, settings):
    erm, other = training([replica(0, recipe=ERM)]), training([replica(0, **settings)])
    one, two = erm.train(), other.train()
    for name in METRICS:
        np.testing.assert_array_equal(one.metrics[name], two.metrics[name])
    assert_parameters_identical(parameters_of(erm), parameters_of(other))


def test_twins_begin_with_the_same_weights_and_other_seeds_with_others(replica, training):
    own = training([replica(0, recipe=ERM), replica(0, recipe=MIXUP), replica(1)])
    weights = own.model.parameters["0.weight"]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


# Stop and go on.


class Stop(Exception):
    pass


def saved_after(own, count):
    """Train for so many steps, then stop the hard way; return the state of that moment."""
    states = []

    def after_step(self):
        states.append((self.epoch, self.step))
        if len(states) == count:
            states.append(self.state_dict())
            raise Stop

    with pytest.raises(Stop):
        own.train(after_step)
    return states[-1]


def eventful(replica, training, models, execution):
    def make():
        runs = mixed_runs(replica, weight_decay=1e-3, lr_schedule=LRSchedule("cosine"))
        return training(runs, models["batch_norm_dropout"], execution)

    return make


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_training_saved_after_any_step_goes_on_bit_for_bit(replica, training, models, execution):
    make = eventful(replica, training, models, execution)
    whole, states = make(), []
    result = whole.train(after_step=lambda own: states.append(own.state_dict()))
    for count, state in enumerate(states, 1):
        assert state["progress"].tolist() == [count // 3, count % 3]
        resumed = make()
        resumed.load_state_dict(state)
        assert_identical(result, resumed.train())
        torch.testing.assert_close(whole.state_dict(), resumed.state_dict(), rtol=0, atol=0, equal_nan=True)


def test_a_training_that_was_stopped_can_just_be_continued(replica, training, models):
    make = eventful(replica, training, models, "stacked")
    stopped = make()
    saved_after(stopped, 4)
    assert_identical(make().train(), stopped.train())


def test_a_training_can_be_rewound(replica, training, models):
    own = eventful(replica, training, models, "stacked")()
    state = saved_after(own, 5)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    first = own.train()
    torch.testing.assert_close(state, kept, rtol=0, atol=0, equal_nan=True)
    own.load_state_dict(state)
    assert (own.epoch, own.step, own.done) == (1, 2, False)
    assert_identical(first, own.train())
    assert own.done


def test_a_finished_training_has_its_result_and_trains_no_more(replica, training):
    own = training([replica(0)])
    result, weights = own.train(), parameters_of(own)
    loaded = training([replica(0)])
    loaded.load_state_dict(own.state_dict())
    assert_identical(result, loaded.train())
    assert_parameters_identical(weights, parameters_of(loaded))


def test_a_state_of_another_stack_is_refused_and_changes_nothing(replica, training, models):
    one, other = training([replica(0)]), training([replica(0), replica(1)])
    one.train()
    before = parameters_of(other)
    with pytest.raises(OvermixError, match=r"^state: \w+ has shape .*, not .*: it is of another study$"):
        other.load_state_dict(one.state_dict())
    assert_parameters_identical(before, parameters_of(other))
    with pytest.raises(OvermixError, match=r"^state: parameter.1.weight has shape None, not"):
        training([replica(0)], models["dropout"]).load_state_dict(
            {**one.state_dict(), "buffer.0.key": torch.zeros(1), "buffer.3.key": torch.zeros(1)}
        )


# What a look records.


def test_curves_say_what_was_done(replica, training):
    runs = [replica(0, schedule=overmix.off_at(2), lr=0.1, lr_schedule=LRSchedule("multistep", milestones=(3,)))]
    result = training(runs, epochs=4).train()
    assert result.epochs.tolist() == [1, 2, 3, 4]
    assert result.mixing.tolist() == [[1.0, 1.0, 0.0, 0.0]]
    np.testing.assert_allclose(result.lr, [[0.1, 0.1, 0.1, 0.01]], rtol=1e-6)
    assert (result.n_test, result.steps_per_epoch) == (50, 3)


def test_wrong_bits_unpack_to_the_error_rate(replica, training):
    result = training(mixed_runs(replica)).train()
    assert result.wrong.shape == (3, 4, 7)
    wrong = np.unpackbits(result.wrong, axis=-1, count=result.n_test)
    np.testing.assert_allclose(wrong.mean(-1), result.metrics["test_error"], rtol=1e-6)
    assert not np.unpackbits(result.wrong, axis=-1)[..., result.n_test :].any()


def test_a_long_training_is_looked_at_on_a_log_grid(replica, training):
    own = training([replica(0)], epochs=40, batch_size=40)
    result = own.train()
    assert result.epochs.tolist() == own.evaluation_epochs.tolist()
    assert result.metrics["test_error"].shape == (1, len(result.epochs))
    assert len(result.epochs) < 40
    assert np.isfinite(result.mix_loss).all()


def test_the_newest_look_can_be_asked_for_at_any_time(replica, training):
    own = training([replica(0), replica(1)])
    assert own.latest() == {}
    looks = []
    result = own.train(after_step=lambda self: looks.append(self.latest()))
    assert looks[:2] == [{}, {}]
    for step in range(3, 12):
        for name in METRICS:
            np.testing.assert_array_equal(looks[step - 1][name], result.metrics[name][:, step // 3 - 1])


def test_a_result_asked_for_on_the_way_does_not_change_any_more(replica, training):
    own, taken = training([replica(0)]), []
    own.train(after_step=lambda self: taken.append(self.result()))
    first = taken[2]
    assert np.isfinite(first.mix_loss[0]).tolist() == [True, False, False, False]
    assert np.isfinite(first.metrics["test_error"][0]).tolist() == [True, False, False, False]
    assert first.mixing[0].tolist() == [1.0, 0.0, 0.0, 0.0]


# Data.


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_bytes_and_floats_of_the_same_value_train_alike(replica, training, resident, execution):
    results = [
        training(mixed_runs(replica), execution=execution, data=resident(dtype)).train()
        for dtype in (torch.uint8, torch.float32)
    ]
    assert_identical(*results)


def test_normalising_after_mixing_is_normalising_before(replica, training):
    own = training(mixed_runs(replica)[1:2])
    x, y = standardised(own, 0), own.data.y
    x_test = (own.data.x_test - own.normalization.mean[0]) / own.normalization.std[0]
    data = type(own.data)(x, y, x_test, own.data.y_test, own.data.num_classes)
    identity = Normalization(torch.zeros(1, 6), torch.ones(1, 6))
    before = training(mixed_runs(replica)[1:2], data=data, normalization=identity)
    assert_close(own.train(), before.train())
    assert_parameters_close(parameters_of(own), parameters_of(before))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_training_leaves_the_data_alone(replica, training, resident, execution):
    data = resident()
    kept = [tensor.clone() for tensor in (data.x, data.y, data.x_test, data.y_test)]
    training(mixed_runs(replica), execution=execution, data=data).train()
    assert all(torch.equal(*pair) for pair in zip(kept, (data.x, data.y, data.x_test, data.y_test), strict=True))


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["mlp", "dropout", "batch_norm"])
def test_an_epoch_does_not_wait_for_the_device(replica, training, models, name, execution, no_host_sync, monkeypatch):
    own = training(mixed_runs(replica), models[name], execution)
    monkeypatch.setattr(own, "result", lambda: None)  # the one look at the end
    with no_host_sync:
        own.train()


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_parameter_that_takes_no_part_is_left_alone_by_weight_decay_too(replica, training, models, execution):
    own = training([replica(seed, weight_decay=0.5) for seed in (0, 1)], models["unused_layer"], execution)
    before = parameters_of(own)
    own.train()
    after = parameters_of(own)
    assert torch.equal(before["unused.weight"], after["unused.weight"])
    assert not torch.equal(before["head.weight"], after["head.weight"])


# What cannot be trained.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, r"^train.epochs = 0: use an integer >= 1$"),
        ({"batch_size": 41}, r"^train.batch_size = 41: use 1 to 40, the size of the training subset$"),
        ({"batch_size": 0}, r"^train.batch_size = 0: use 1 to 40"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(replica, training, settings, message):
    with pytest.raises(ConfigError, match=message):
        training([replica(0)], **settings)


@pytest.mark.parametrize("field", ["train_index", "val_index"])
def test_subsets_of_different_sizes_are_refused(replica, training, field):
    with pytest.raises(ConfigError, match=r"^replicas = .*: give all replicas of a stack subsets of one size$"):
        training([replica(0), replica(1, **{field: np.arange(20)})])


def test_a_batch_may_be_the_whole_subset(replica, training):
    own = training([replica(0)], batch_size=40)
    assert own.steps_per_epoch == 1
    assert np.isfinite(own.train().mix_loss).all()


class OwnObjective(Recipe):
    def __init__(self):
        super().__init__(RandomPairing(), BetaCoefficient(1.0))

    def objective(self, model, x, y, plan):
        return super().objective(model, x, y, plan) + 1


def test_a_recipe_that_the_engine_would_not_follow_is_refused(replica, training):
    with pytest.raises(ConfigError, match=r"^recipe = 'OwnObjective': say its loss in mixed_loss"):
        training([replica(0, recipe=OwnObjective())])


@pytest.mark.parametrize("shape", [(2,), (1, 6), (6,), (2, 1, 1)], ids=str)
def test_statistics_that_would_be_broadcast_wrongly_are_refused(replica, training, shape):
    with pytest.raises(DataError, match=r"^normalization: shape .*: give statistics of 2 replicas with 1 more dim"):
        training([replica(0), replica(1)], normalization=Normalization(torch.zeros(shape), torch.ones(shape)))
