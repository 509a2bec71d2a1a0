"""The scikit-learn estimators keep its conventions, and decide as a plain loop with Epochs does."""

import pickle

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import overmix
from overmix.errors import ConfigError
from overmix.integrations.sklearn import MixupClassifier, MixupRegressor
from overmix.mix import BetaCoefficient, Recipe, SelectivePairing
from overmix.recipes import LISA, AnchorMixup, LossMix, ManifoldMixup, RegMixup, SemanticEquivariantMixup

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x[:300], y[:300], x[300:], y[300:]


@pytest.mark.filterwarnings("ignore:.*too few to hold some out:UserWarning")
@parametrize_with_checks(
    [MixupClassifier((16,), epochs=10, learning_rate=0.05), MixupRegressor((16,), epochs=10, learning_rate=0.05)]
)
def test_conventions(estimator, check):
    check(estimator)


def test_it_decides_and_ends_as_a_plain_loop_does(digits):
    x, y, _, _ = digits
    model = MixupClassifier((16,), epochs=12, random_state=3).fit(x, y)

    random = np.random.RandomState(3)
    seed = int(random.randint(2**31 - 1))
    train, val = train_test_split(np.arange(len(x)), test_size=60, random_state=random.randint(2**31 - 1), stratify=y)
    train = np.sort(train)
    val = np.sort(val)
    mean, scale = x[train].mean(0), x[train].std(0)
    scale[scale == 0] = 1
    inputs, labels = torch.from_numpy(((x - mean) / scale).astype(np.float32)), torch.from_numpy(y)
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    order = torch.Generator().manual_seed(seed)
    state = {"net": net, "optimizer": optimizer, "order": order}
    run = overmix.Epochs(12, mix=overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch(), seed=seed, state=state)
    for epoch in run:
        for batch in torch.randperm(len(train), generator=order).split(32):
            mixed, target = epoch.mix(inputs[train[batch]], labels[train[batch]])
            optimizer.zero_grad()
            target.cross_entropy(net(mixed)).backward()
            optimizer.step()
        with torch.no_grad():
            epoch.observe(net(inputs[val]), labels[val])
    assert str(model.decision_) == str(run.decision)
    assert model.decision_.probes
    assert model.cost_ == run.cost > 1
    assert all(torch.equal(a, b) for a, b in zip(model.module_.parameters(), net.parameters(), strict=True))


def test_one_random_state_one_model_and_the_global_generators_are_left_alone(digits):
    x, y, x_test, _ = digits
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = (MixupClassifier((16,), epochs=9, random_state=0).fit(x, y) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert np.array_equal(one.predict_proba(x_test), other.predict_proba(x_test))
    another = MixupClassifier((16,), epochs=9, random_state=1).fit(x, y)
    assert not np.array_equal(one.predict_proba(x_test), another.predict_proba(x_test))


def test_fits_in_threads_are_those_that_are_alone(digits):
    x, y, x_test, _ = digits
    switches = [overmix.AutoSwitch(shares=(0.2, 0.5)), 0.5] * 2

    def fitted(switch):
        model = MixupClassifier((8,), epochs=8, switch=switch, random_state=0, batch_size=60)
        return model.fit(x, y).predict_proba(x_test)

    before = torch.get_rng_state()
    alone = [fitted(switch) for switch in switches[:2]] * 2
    together = Parallel(4, backend="threading")(delayed(fitted)(switch) for switch in switches)
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_feature_or_value_that_does_not_vary_is_divided_by_one(digits):
    x, y, _, _ = digits
    constant = np.full((len(x), 1), 0.1)  # whose standard deviation is 1e-16 by rounding
    model = MixupClassifier((8,), switch="never", epochs=2, random_state=0).fit(np.hstack([x, constant]), y)
    assert model.scale_[-1] == 1
    moved = model.predict_proba(np.hstack([x, constant + 1e-9]))
    assert np.allclose(moved, model.predict_proba(np.hstack([x, constant])), atol=1e-6)
    assert MixupRegressor((8,), epochs=2).fit(x, constant[:, 0]).y_scale_ == 1


def test_a_pickle_predicts_the_same_and_a_clone_keeps_its_settings(digits):
    x, y, x_test, _ = digits
    model = MixupClassifier((16,), mix=overmix.Mixup(alpha=0.2), switch=0.5, epochs=4, random_state=0).fit(x, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(x_test), model.predict_proba(x_test))
    assert str(again.decision_) == str(model.decision_)
    assert repr(clone(model).get_params()["mix"]) == repr(model.mix)


def test_a_recipe_that_mixes_in_hidden_layers(digits):
    x, y, x_test, y_test = digits
    recipe = ManifoldMixup(layers=("input", "1"))
    model = MixupClassifier((32,), mix=recipe, epochs=20, learning_rate=0.01, random_state=0).fit(x, y)
    assert model.score(x_test, y_test) > 0.8


def test_a_search_over_the_switch(digits):
    x, y, _, _ = digits
    search = GridSearchCV(MixupClassifier((16,), epochs=4, random_state=0), {"switch": ["never", 0.5, "always"]}, cv=2)
    search.fit(x, y)
    assert search.best_params_["switch"] in ("never", 0.5, "always")


def test_a_table_with_categories_and_missing_values():
    generator = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "width": generator.normal(size=n),
            "height": np.where(generator.random(n) < 0.1, np.nan, generator.normal(size=n)),
            "colour": pd.Categorical(generator.choice(["red", "green", "blue"], n)),
        }
    )
    labels = pd.Series(np.where((table.width > 0) ^ (table.colour == "red"), "yes", "no"), name="answer")
    prepare = make_column_transformer(
        (SimpleImputer(), ["width", "height"]), (OneHotEncoder(handle_unknown="ignore"), ["colour"]), sparse_threshold=0
    )
    model = make_pipeline(prepare, MixupClassifier((32,), epochs=30, learning_rate=0.01, random_state=0))
    model.fit(table[:150], labels[:150])
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.score(table[150:], labels[150:]) > 0.7
    with pytest.raises(ValueError, match="missing values encoded as NaN"):
        MixupClassifier().fit(table[["width", "height"]], labels)


def test_values_are_mixed_and_only_a_user_who_asks_has_it_switched_off():
    x, y = load_diabetes(return_X_y=True)
    model = MixupRegressor((32,), epochs=20, random_state=0).fit(x[:300], y[:300])
    assert model.decision_.switch_at == 20
    assert model.n_held_out_ == 0
    assert model.score(x[300:], y[300:]) > 0.3
    with pytest.warns(UserWarning, match=r"^CMixup is for regression, .* nothing is held out; give switch=\"always\""):
        stays = MixupRegressor((32,), switch="auto", epochs=20, random_state=0).fit(x[:300], y[:300])
    assert (stays.decision_.switch_at, stays.decision_.probes, stays.n_held_out_) == (20, (), 0)
    assert np.array_equal(stays.predict(x), model.predict(x))
    told = overmix.AutoSwitch(anywhere=True)
    asked = MixupRegressor((32,), switch=told, epochs=20, random_state=0).fit(x[:300], y[:300])
    assert asked.decision_.probes
    assert asked.n_held_out_ == 60
    # Another unit of the values is another unit of the predictions, and nothing else.
    scaled = MixupRegressor((32,), epochs=20, random_state=0).fit(x[:300], 1000 * y[:300])
    assert np.allclose(scaled.predict(x[300:]), 1000 * model.predict(x[300:]), rtol=1e-4)


def test_values_are_fitted_by_the_loss_of_the_recipe():
    x, y = np.zeros((100, 1)), np.repeat([0.0, 10.0], [80, 20])

    def constant(mix):
        model = MixupRegressor((4,), mix=mix, epochs=60, batch_size=100, learning_rate=0.05, random_state=0)
        return model.fit(x, y).predict(x[:1])[0]

    assert constant(LossMix(alpha=0, criterion="l1")) == pytest.approx(np.median(y), abs=0.5)
    assert constant(LossMix(alpha=0, criterion="mse")) == pytest.approx(np.mean(y), abs=0.5)
    assert constant("NoMixup") == pytest.approx(np.mean(y), abs=0.5)


@pytest.mark.parametrize(
    "mix", [AnchorMixup(), ManifoldMixup(layers=("input", "1")), RegMixup(), SemanticEquivariantMixup()]
)
def test_recipes_that_mix_in_the_network_or_beside_the_clean_samples(mix):
    x, y = load_diabetes(return_X_y=True)
    assert MixupRegressor((8,), mix=mix, switch=0.5, epochs=2, random_state=0).fit(x, y).predict(x).shape == y.shape
    if "classes" in mix.for_labels:
        assert MixupClassifier((8,), mix=mix, switch=0.5, epochs=2).fit(x, y > 100).predict(x).shape == y.shape


def test_too_few_samples_to_decide_on_are_told(digits):
    x, y, _, _ = digits
    with pytest.warns(UserWarning, match="^60 samples are too few to hold some out and decide on them: Mixup goes off"):
        model = MixupClassifier((8,), epochs=4, random_state=0).fit(x[:60], y[:60])
    assert model.decision_.switch_at == 2


def test_a_label_that_occurs_once_is_trained_on_and_all_others_decide(digits):
    x, y, _, _ = digits
    labels = np.where(np.arange(len(y)) == 7, "typo", y.astype(str))
    model = MixupClassifier((8,), epochs=20, random_state=0).fit(x, labels)
    assert model.n_held_out_ == int(model.validation_fraction * len(x))
    assert model.decision_.probes
    assert "typo" in model.classes_


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mix": "Mixpu"}, "mix = 'Mixpu': did you mean Mixup(?!.*(CMixup|LISA|MixCo))"),
        ({"mix": 3}, "mix = 3: give a recipe or its name"),
        ({"mix": LISA()}, "it needs domain"),
        ({"switch": "later"}, "switch = 'later': use one of auto, always, never"),
        ({"switch": 1.5}, r"switch = 1\.5: a share lies in"),
        ({"switch": True}, "switch = True: use a number of epochs"),
        ({"switch": float("nan")}, "switch = nan: use a number of epochs"),
        ({"switch": np.int64(3)}, "switch = 3: use at most 2, the number of epochs"),
        ({"switch": overmix.AutoSwitch}, "switch = <class"),
        ({"epochs": 0}, "epochs = 0: use an integer >= 1"),
        ({"batch_size": 2.5}, r"batch_size = 2\.5: use an integer >= 1"),
        ({"learning_rate": 0}, "learning_rate = 0: use a positive number"),
        ({"weight_decay": -1}, "weight_decay = -1: use a number >= 0"),
        ({"validation_fraction": 1}, "validation_fraction = 1: use a share"),
        ({"validation_fraction": None}, "validation_fraction = None: use a share"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes = "),
        ({"hidden_layer_sizes": 16}, r"hidden_layer_sizes = 16: .* such as \(16,\)"),
        ({"hidden_layer_sizes": np.array(16)}, r"hidden_layer_sizes = array\(16\): .* such as \(16,\)"),
        ({"device": "foo"}, "device = 'foo': use one that this machine has"),
        ({"device": None}, "device = None: name one"),
        ({"device": "meta"}, "device = 'meta': nothing is computed there"),
    ],
)
def test_what_cannot_work_is_named(digits, settings, message):
    model = MixupClassifier(**{"epochs": 2, **settings})
    with pytest.raises(ConfigError, match=message):
        model.fit(digits[0], digits[1])
    assert not [name for name in vars(model) if name.endswith("_")]


def test_a_recipe_for_other_labels_is_named(digits):
    x, y = digits[:2]
    with pytest.raises(ConfigError, match=r"mix = 'LossMix': it does not fit outputs of shape \(B, 10\)"):
        MixupClassifier(mix="LossMix", epochs=2).fit(x, y)
    MixupClassifier((4,), mix=LossMix(criterion="cross_entropy"), switch="always", epochs=1).fit(x, y)
    with pytest.raises(ConfigError, match="mix = 'CMixup': use one for classes: it is for values or rows"):
        MixupClassifier(mix="CMixup", epochs=2).fit(x, y)
    with pytest.raises(ConfigError, match="mix = 'SelectiveMixup': use one for values: it is for classes"):
        MixupRegressor(mix="SelectiveMixup", epochs=2).fit(x, y)
    by_class = Recipe(SelectivePairing("same"), BetaCoefficient())  # which does not say what it is for
    with pytest.raises(ConfigError, match=r"mix = Recipe\(.*: it does not fit .* shape \(B,\) .*made by class"):
        MixupRegressor(mix=by_class, epochs=2).fit(x, y)
