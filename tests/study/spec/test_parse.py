"""What a study file may not say. The whole way through the command line is in tests/cli/test_bad_input.py."""
# ruff: noqa: E501  (one mistake, one line)

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overmix.errors import ConfigError, OvermixError
from overmix.study import parse_study, read_study, resolved
from overmix.study.plan.cells import expand

NAN, INF = float("nan"), float("inf")
SEEDS = "use a number of seeds, 1 to 10000, or a list of different integers >= 0"
SIZE = "use a number of samples, a share in (0, 1), or null for all that is left"
MAPPING = "write keys with values, {key: value}, or leave it out"
MARKS = "use a list of epochs (integers >= 1) or shares of the training (0.5)"
RECIPE = "write one recipe, with its parameters or without: {Mixup: {alpha: 0.4}}"
ALPHA = "use a number >= 0 (0 mixes nothing, 1 is uniform, inf is halves)"
PHASES = "a study trains one recipe per condition; phases drive a loop of your own: overmix.Epochs(300, mix=overmix.switch.Phases(...)), see docs/loop.md"
OFF_AT = "use a number of epochs (128) or a share of all epochs (0.5)"


def train(**changes):
    return {"train": changes}


def optimizer(**changes):
    return {"train": {"optimizer": changes}}


def lr_schedule(**changes):
    return {"train": {"lr_schedule": changes}}


def compare(**entry):
    return {"compare": [entry]}


REFUSED = [
    # Unknown keys, at every level, with the nearest known one.
    ({"dat": 1}, "dat = 1: unknown key, did you mean data? known: compare, data, device, executor, metric, model, name, seeds, train, tuned"),
    ({"data": {"train_sze": 3}}, "data.train_sze = 3: unknown key, did you mean train_size? known: balanced, name, train_size, val_size"),
    ({"data": {"name": "npz", "pth": "x"}}, "data.pth = 'x': unknown key, did you mean path? known: balanced, labels, name, path, test_size, train_size, val_size"),
    ({"model": {"hiden": [3]}}, "model.hiden = [3]: unknown key, did you mean hidden? known: *"),
    (train(epoch=3), "train.epoch = 3: unknown key, did you mean epochs? known: augment, average, batch_size, epochs, lr_schedule, objective, optimizer, track"),
    (optimizer(momentun=1), "train.optimizer.momentun = 1: unknown key, did you mean momentum? known: betas, eps, lr, momentum, name, nesterov, weight_decay"),
    (lr_schedule(milestone=[1]), "train.lr_schedule.milestone = [1]: unknown key, did you mean milestones? known: gamma, milestones, name, warmup"),
    ({"executor": {"worker": 1}}, "executor.worker = 1: unknown key, did you mean workers? known: address, name, num_cpus, num_gpus, retries, workers"),
    (compare(shedule=5), "compare[0].shedule = 5: unknown key, did you mean schedule? known: data, model, name, recipe, schedule, train"),
    (compare(name="A → B", train={"optimizer": {"lrr": 3}}), "compare[A → B].train.optimizer.lrr = 3: unknown key, did you mean lr? known: betas, eps, lr, momentum, name, nesterov, weight_decay"),
    (compare(recipe={"Mixup": {}}, model={"hiden": [3]}), "compare[Mixup].model.hiden = [3]: unknown key, did you mean hidden? known: *"),
    (compare(name="A", data={"train_sizes": 3}), "compare[A].data.train_sizes = 3: unknown key, did you mean train_size? known: *"),
    # A key that is called as pydantic calls a type.
    ({"int": 3, "str": 4}, "int = 3: unknown key, *"),
    # An unknown key hides what follows from it.
    ({"seeds": 0, "sed": 3}, "sed = 3: unknown key, did you mean seeds? known: *"),
    # Unknown names.
    ({"data": "digit"}, "data.name = 'digit': did you mean digits? known: *"),
    ({"model": "mpl"}, "model.name = 'mpl': did you mean mlp? known: *, or module:factory"),
    ({"model": "my_models:make"}, "model.name = 'my_models:make': an import path runs that module's code: allow it with --allow-code"),
    (compare(name="X", model="my_models:make"), "compare[X].model.name = 'my_models:make': an import path runs *"),
    (train(optimizer="sgdd"), "train.optimizer = 'sgdd': did you mean sgd? known: adamw, sgd"),
    (train(lr_schedule="cosin"), "train.lr_schedule = 'cosin': did you mean cosine? known: constant, cosine, multistep"),
    (lr_schedule(name="cosin"), "train.lr_schedule.name = 'cosin': did you mean cosine? known: constant, cosine, multistep"),
    (lr_schedule(name=3), "train.lr_schedule.name = 3: use one of: constant, multistep, cosine"),
    ({"executor": "locale"}, "executor = 'locale': did you mean local? known: local, ray"),
    (compare(recipe="Mixpu"), "compare[Mixpu].recipe = 'Mixpu': did you mean Mixup? known: *"),
    (compare(name="M", recipe={"mixup": {}}), "compare[M].recipe = 'mixup': did you mean Mixup? known: *"),
    (compare(recipe={"Mixup": {"alhpa": 1}}), "compare[Mixup].recipe.Mixup.alhpa = 1: unknown key, did you mean alpha? known: alpha, masks, per"),
    (compare(recipe={"NoMixup": {"alpha": 1}}), "compare[NoMixup].recipe.NoMixup.alpha = 1: unknown key, NoMixup takes no parameters"),
    (compare(schedule="allways"), "compare[Mixup].schedule = 'allways': did you mean always? known: *"),
    (compare(schedule={"of_at": 1}), "compare[Mixup].schedule = 'of_at': did you mean off_at? known: *"),
    (compare(data={"name": "nope"}), "compare[Mixup].data.name = 'nope': *known: *"),
    (train(augment={"crops": 3}), "train.augment.crops = 3: unknown key, did you mean crop? known: crop, flip"),
    # Phases are known, and belong elsewhere, under whichever key they are looked for.
    (compare(name="P", phases=[[0, "Mixup"], [0.8, None]]), "compare[P].phases = [[0, 'Mixup'], [0.8, None]]: " + PHASES),
    (compare(phases=None), "compare[0].phases = None: " + PHASES),
    (compare(schedule="phases"), "compare[0].schedule = 'phases': " + PHASES),
    (compare(schedule={"phases": [[0, "Mixup"]]}), "compare[0].schedule = {'phases': [[0, 'Mixup']]}: " + PHASES),
    (compare(recipe={"Phases": {"parts": []}}), "compare[Phases].recipe = {'Phases': {'parts': []}}: " + PHASES),
    # Values of the wrong kind.
    (train(track=["gradient"]), "train.track[0] = 'gradient': use a list of gradient_norm and memorization, each once"),
    (train(track=["memorization"] * 2), "train.track = *: use a list of gradient_norm and memorization, each once"),
    (train(track="memorization"), "train.track = 'memorization': use a list of gradient_norm and memorization, each once"),
    (optimizer(name="adamw", momentum=0.9), "train.optimizer = *: adamw takes no momentum: give it betas, eps, lr, weight_decay"),
    (optimizer(betas=[0.9, 0.99]), "train.optimizer = *: sgd takes no betas: give it lr, momentum, nesterov, weight_decay"),
    (optimizer(name="adamw", betas=[0.9]), "train.optimizer.betas = [0.9]: use a list of two numbers in [0, 1)"),
    (optimizer(name="adamw", betas=[0.9, 1.0]), "train.optimizer.betas = [0.9, 1.0]: use two numbers in [0, 1)"),
    (optimizer(name="adamw", eps=0), "train.optimizer.eps = 0: use a number >= 1e-30"),
    (train(augment=True), f"train.augment = True: {MAPPING}"),
    (train(augment={"crop": -1}), "train.augment.crop = -1: use a number >= 0"),
    (train(augment={"crop": 0, "flip": False}), "train.augment = *: leave it out: it would change nothing"),
    (compare(name="A", train={"augment": {"crop": 0, "flip": False}}), "compare[A].train.augment = *: leave it out: *"),
    ({"data": 5}, f"data = 5: {MAPPING}"),
    ({"data": None}, f"data = None: {MAPPING}"),
    ({"train": None}, f"train = None: {MAPPING}"),
    ({"executor": 4}, f"executor = 4: {MAPPING}"),
    (train(optimizer=5), f"train.optimizer = 5: {MAPPING}"),
    ({"compare": {}}, "compare = {}: write a list, [a, b]"),
    ({"compare": "Mixup"}, "compare = 'Mixup': write a list, [a, b]"),
    ({"compare": []}, "compare = []: give at least one"),
    ({"compare": ["Mixup"]}, f"compare[0] = 'Mixup': {MAPPING}"),
    (compare(train=5), f"compare[0].train = 5: {MAPPING}"),
    ({"name": 5}, "name = 5: use text, in quotes if it looks like something else"),
    ({"name": ""}, "name = '': write at least one character"),
    (compare(name=5), "compare[0].name = 5: use text, *"),
    ({"device": 5}, "device = 5: use text, *"),
    # Sizes.
    ({"data": {"train_size": "x"}}, f"data.train_size = 'x': {SIZE}"),
    ({"data": {"train_size": True}}, f"data.train_size = True: {SIZE}"),
    ({"data": {"train_size": NAN}}, f"data.train_size = nan: {SIZE}"),
    ({"data": {"train_size": [5]}}, f"data.train_size = [5]: {SIZE}"),
    ({"data": {"val_size": -1}}, "data.val_size = -1: use a number of samples, or a share*"),
    ({"data": {"val_size": 1.5}}, "data.val_size = 1.5: use a number of samples, or a share*"),
    ({"data": {"val_size": True}}, "data.val_size = True: use a number of samples, or a share*"),
    ({"data": {"balanced": "yes"}}, "data.balanced = 'yes': use true or false"),
    ({"data": {"name": "npz", "path": 5}}, "data.path = 5: give text*"),
    ({"model": {"hidden": 5}}, "model.hidden = 5: give a list*"),
    ({"model": {"dropout": "much"}}, "model.dropout = 'much': give a number*"),
    ({"model": {"batch_norm": 1}}, "model.batch_norm = 1: give true or false"),
    # Training.
    (train(epochs=0), "train.epochs = 0: use a number >= 1"),
    (train(epochs=-3), "train.epochs = -3: use a number >= 1"),
    (train(epochs=10**7), "train.epochs = 10000000: use a number <= 1000000"),
    (train(epochs=1.5), "train.epochs = 1.5: use a whole number"),
    (train(epochs=2.0), "train.epochs = 2.0: use a whole number"),
    (train(epochs=True), "train.epochs = True: use a whole number"),
    (train(epochs="ten"), "train.epochs = 'ten': use a whole number"),
    (train(epochs="10"), "train.epochs = '10': write it without quotes"),
    (train(batch_size=0), "train.batch_size = 0: use a number >= 1"),
    (optimizer(lr=NAN), "train.optimizer.lr = nan: use a finite number"),
    (optimizer(lr=INF), "train.optimizer.lr = inf: use a finite number"),
    (optimizer(lr=0), "train.optimizer.lr = 0: use a number >= 1e-30"),
    (optimizer(lr=-0.1), "train.optimizer.lr = -0.1: use a number >= 1e-30"),
    (optimizer(lr="1e-3"), "train.optimizer.lr = '1e-3': write it without quotes"),
    (optimizer(lr="fast"), "train.optimizer.lr = 'fast': use a number"),
    (optimizer(lr=True), "train.optimizer.lr = True: use a number"),
    (optimizer(momentum=1), "train.optimizer.momentum = 1: use a number < 1"),
    (optimizer(momentum=NAN), "train.optimizer.momentum = nan: use a finite number"),
    (optimizer(nesterov=1), "train.optimizer.nesterov = 1: use true or false"),
    (optimizer(weight_decay=-1), "train.optimizer.weight_decay = -1: use a number >= 0"),
    (lr_schedule(gamma=0), "train.lr_schedule.gamma = 0: use a number >= 1e-30"),
    (lr_schedule(gamma=NAN), "train.lr_schedule.gamma = nan: use a finite number"),
    (lr_schedule(warmup=-1), "train.lr_schedule.warmup = -1: use a number >= 0"),
    (lr_schedule(milestones=[0]), "train.lr_schedule.milestones = 0: use epochs (integers >= 1) or shares of the training (0.5)"),
    (lr_schedule(milestones=[1.5]), "train.lr_schedule.milestones = 1.5: use epochs *"),
    (lr_schedule(milestones=0.5), f"train.lr_schedule.milestones = 0.5: {MARKS}"),
    (lr_schedule(milestones=["a"]), f"train.lr_schedule.milestones[0] = 'a': {MARKS}"),
    (lr_schedule(milestones=[5, True]), f"train.lr_schedule.milestones[1] = True: {MARKS}"),
    (lr_schedule(milestones=[NAN]), f"train.lr_schedule.milestones[0] = nan: {MARKS}"),
    (compare(name="A", train={"lr_schedule": {"milestones": [0]}}), "compare[A].train.lr_schedule.milestones = 0: use epochs *"),
    # Conditions.
    (compare(recipe={"Mixup": {"alpha": -1}}), f"compare[Mixup].recipe.Mixup.alpha = -1: {ALPHA}"),
    (compare(recipe={"Mixup": {"alpha": NAN}}), f"compare[Mixup].recipe.Mixup.alpha = nan: {ALPHA}"),
    (compare(recipe={"Mixup": {"alpha": "one"}}), f"compare[Mixup].recipe.Mixup.alpha = 'one': {ALPHA}"),
    (compare(recipe={"Mixup": {"alpha": True}}), f"compare[Mixup].recipe.Mixup.alpha = True: {ALPHA}"),
    (compare(recipe={"Mixup": {"alpha": None}}), f"compare[Mixup].recipe.Mixup.alpha = None: {ALPHA}"),
    (compare(recipe={"Mixup": {"per": 3}}), "compare[Mixup].recipe.Mixup.per = 3: use 'batch' *"),
    (compare(recipe={"ManifoldMixup": {"layers": 5}}), "compare[ManifoldMixup].recipe.ManifoldMixup.*"),
    (compare(recipe={"Mixup": {}, "NoMixup": {}}), f"compare[Mixup].recipe = {{'Mixup': {{}}, 'NoMixup': {{}}}}: {RECIPE}"),
    (compare(recipe={"Mixup": 0.4}), f"compare[Mixup].recipe = {{'Mixup': 0.4}}: {RECIPE}"),
    (compare(recipe={}), f"compare[0].recipe = {{}}: {RECIPE}"),
    (compare(recipe=["Mixup"]), f"compare[0].recipe = ['Mixup']: {RECIPE}"),
    (compare(recipe=""), f"compare[0].recipe = '': {RECIPE}"),
    (compare(recipe=5), f"compare[0].recipe = 5: {RECIPE}"),
    (compare(schedule=5), "compare[0].schedule = 5: use always, never, auto, {off_at: 128} or {off_at: 0.5}"),
    (compare(schedule="off_at"), "compare[Mixup].schedule = 'off_at': give it a value: {off_at: 128}"),
    (compare(schedule={"off_at": 1.5}), "compare[Mixup].schedule.off_at = 1.5: a share lies in [0, 1]; for epochs write 2"),
    (compare(schedule={"off_at": -1}), f"compare[Mixup].schedule.off_at = -1: {OFF_AT}"),
    (compare(schedule={"off_at": True}), f"compare[Mixup].schedule.off_at = True: {OFF_AT}"),
    (compare(schedule={"off_at": NAN}), f"compare[Mixup].schedule.off_at = nan: {OFF_AT}"),
    (compare(schedule={"off_at": "half"}), f"compare[Mixup].schedule.off_at = 'half': {OFF_AT}"),
    (compare(schedule={"off_at": 300}) | train(epochs=200), "compare[Mixup].schedule.off_at = 300: use at most 200, the number of epochs"),
    (compare(schedule={"off_at": 30}, train={"epochs": 20}), "compare[Mixup].schedule.off_at = 30: use at most 20, *"),
    ({"compare": [{"name": "A"}, {"name": "A"}]}, "compare.name = 'A': give each condition a name of its own"),
    ({"compare": [{}, {"recipe": {"Mixup": {"alpha": 2}}}]}, "compare.name = 'Mixup': give each condition a name of its own"),
    # Seeds and workers.
    *[({"seeds": seeds}, f"seeds = {seeds!r}: {SEEDS}") for seeds in
      (0, -1, True, 1.5, "x", None, [], [1, 1], [-1], 10**9, {"n": 3})],
    ({"seeds": [True]}, f"seeds* = *True*: {SEEDS}"),
    ({"seeds": [0.5]}, f"seeds* = *0.5*: {SEEDS}"),
    ({"seeds": [2**63]}, "seeds[0] = 9223372036854775808: use a number below 2**63"),
    *[({"executor": {"workers": workers}}, f"executor.workers = {workers!r}: use a number >= 1, or auto") for workers in
      (0, -1, 1.5, True, "many", None)],
    # No mapping at all.
    ([1], "study = [1]: write a mapping of keys such as data, model, train, compare, seeds"),
    ("digits", "study = 'digits': write a mapping of keys *"),
    ({1: 2}, "study = 1: keys are text: write this one in quotes"),
    (compare(train={1: 2}), "compare[0].train = 1: keys are text: *"),
]  # fmt: skip


def matches(text: str, pattern: str) -> bool:
    """``*`` stands for anything; brackets are themselves."""
    begin, *parts = pattern.split("*")
    if not text.startswith(begin):
        return False
    at = len(begin)
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return at == len(text) or pattern.endswith("*")


@pytest.mark.parametrize(("content", "told"), REFUSED, ids=[told[:60] for _, told in REFUSED])
def test_each_mistake_has_one_line_with_field_value_and_remedy(content, told):
    with pytest.raises(ConfigError) as caught:
        parse_study(content)
    assert matches(str(caught.value), told), f"\n{caught.value}\n{told}"
    assert "\n" not in str(caught.value)
    for foreign in ("pydantic", "Input should", "validation", "NoneType", "instance of"):
        assert foreign not in str(caught.value)


def test_the_matcher_itself():
    assert matches("a = 1: b", "a = *: b")
    assert matches("a = 1: b", "a*")
    assert not matches("a = 1: bc", "a = 1: b")
    assert not matches("xa", "a*")


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
)
fields = st.sampled_from(
    ["name", "seeds", "device", "data.name", "data.train_size", "data.val_size", "data.balanced", "data.path", "model.name",
     "model.hidden", "model.dropout", "train.epochs", "train.batch_size", "train.optimizer.lr", "train.optimizer.momentum",
     "train.optimizer.weight_decay", "train.optimizer", "train.lr_schedule", "train.lr_schedule.milestones",
     "train.lr_schedule.gamma", "compare", "executor.workers", "executor", "nonsense", "train.nonsense"]
)  # fmt: skip


@given(st.dictionaries(fields, values, max_size=4))
def test_whatever_is_written_is_a_study_or_one_line(changes):
    content: dict = {}
    for path, value in changes.items():
        *outer, key = path.split(".")
        inner = content
        for part in outer:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[key] = value
    try:
        spec = parse_study(content)
    except OvermixError as error:
        told = str(error)
    else:
        assert resolved(parse_study(spec.model_dump())) == resolved(spec)
        return
    assert len(told.splitlines()) == 1
    assert " = " in told


def test_relative_paths_start_at_the_study_file_in_overrides_too(tmp_path, monkeypatch):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "s.yaml").write_text(
        "data: {name: npz, path: mine.npz}\n"
        "compare: [{name: A, data: {path: ../other.npz}}, {name: B, data: {path: /there/c.npz}}, {name: C}]\n"
    )
    monkeypatch.chdir(tmp_path)
    spec = read_study(folder / "s.yaml")
    assert spec.data.options["path"] == str(folder / "mine.npz")
    assert [entry.data.get("path") for entry in spec.compare] == [str(tmp_path / "other.npz"), "/there/c.npz", None]


def test_paths_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "s.yaml").write_text("data: {name: npz, path: ~/mine.npz}")
    assert read_study(tmp_path / "s.yaml").data.options["path"] == str(tmp_path / "home" / "mine.npz")


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "null"])
def test_an_empty_file_is_no_study(tmp_path, content):
    (tmp_path / "s.yaml").write_text(content)
    with pytest.raises(ConfigError, match="it is empty: write what is trained, such as data: digits"):
        read_study(tmp_path / "s.yaml")


positive = st.floats(1e-30, 1e30)
optimizers = st.sampled_from(["sgd", "adamw"]) | st.fixed_dictionaries(
    {"name": st.just("adamw")}, optional={"lr": positive, "eps": positive, "betas": st.just([0.8, 0.99])}
)
trainings = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(20, 1_000_000),
        "optimizer": optimizers,
        "lr_schedule": st.sampled_from(["cosine", {"name": "multistep", "milestones": [3, 0.5]}]),
        "average": st.none() | st.just(0.99),
        "augment": st.none() | st.just({"crop": 2}),
        "track": st.sampled_from([[], ["memorization", "gradient_norm"]]),
    },
)
numbers = st.just(float("inf")) | st.floats(1e-3, 1e3) | st.integers(1, 9)
mixups = st.sampled_from(["Mixup", "NoMixup", "CutMix"]) | st.fixed_dictionaries(
    {"Mixup": st.none() | st.fixed_dictionaries({"alpha": numbers})}
)
recipes = mixups | st.fixed_dictionaries({"OneOf": st.lists(mixups, min_size=1, max_size=3)})
schedules = st.sampled_from(["always", "never", {"off_at": 0.5}, {"off_at": 7}, {"auto": {"holdout": 0.2}}])
models = st.sampled_from(["mlp", {"name": "convnet", "width": 2}, {"hidden": [3, 4]}, {"hidden": []}])
shown_text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=9)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "name": shown_text | st.sampled_from([".inf", "-.inf", ".nan", "null", "1e3"]),
        "recipe": recipes,
        "schedule": schedules,
        "train": trainings,
        "model": models,
        "data": st.just({"train_size": 0.5}),
    },
)
studies = st.fixed_dictionaries(
    {},
    optional={
        "name": shown_text,
        "data": st.sampled_from(["digits", {"name": "npz", "path": "/a/b.npz", "test_size": 0.3}]),
        "model": models,
        "train": trainings,
        "seeds": st.integers(1, 3) | st.lists(st.integers(0, 2**62), min_size=1, max_size=3, unique=True),
        "compare": st.lists(conditions, min_size=1, max_size=3),
        "executor": st.just({"workers": 2}),
    },
)


@given(studies)
def test_a_resolved_study_is_json_and_the_same_study(content):
    try:
        spec = parse_study(content)
    except ConfigError:
        assume(False)  # two conditions of one name, or an option of the other model
    written = resolved(spec)
    again = parse_study(json.loads(json.dumps(written, allow_nan=False)))
    assert resolved(again) == written
    assert [cell.id for cell in expand(again)] == [cell.id for cell in expand(spec)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"compare": [{"name": str(n)} for n in range(501)]}, "give fewer"),
        ({"seeds": list(range(10_001))}, "use a number of seeds, 1 to 10000, or a list"),
        ({"seeds": 10_000, "compare": [{"name": str(n)} for n in range(11)]}, "110000 runs are more than 100000"),
        ({"name": "x" * 201}, "use fewer characters"),
        ({"train": {"optimizer": {"lr": 1e-320}}}, "use a number >= 1e-30"),
        ({"train": {"optimizer": {"lr": 1e300}}}, r"use a number <= 1e\+30"),
        ({"data": {"name": "npz", "path": "a\0b"}}, r"leave out the character U\+0000"),
    ],
)
def test_more_than_any_study_has_is_refused(content, told):
    with pytest.raises(ConfigError, match=told) as caught:
        parse_study(content)
    assert len(str(caught.value)) < 500


def test_import_paths_with_permission_may_have_any_option():
    spec = parse_study({"model": {"name": "mine:make", "anything": [1]}}, allow_code=True)
    assert spec.model.options == {"anything": [1]}


def test_a_switch_at_the_very_end_is_allowed():
    assert parse_study(compare(schedule={"off_at": 20}) | train(epochs=20)).compare[0].schedule == {"off_at": 20}


@pytest.mark.parametrize("name", ["churn.csv", "table.parquet", "arrays.npz", "images"])
def test_data_in_the_place_of_a_study_are_told_where_they_belong(tmp_path, name):
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"a,b\n1,2\n")
    else:
        path.mkdir()
    with pytest.raises(ConfigError, match=r"these are data: overmix init .* writes a study for them"):
        read_study(path)
