from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overmix.study import parse_study
from overmix.study.plan.cells import StackTask, expand, layout, stack_size
from overmix.study.plan.trainings import pool_key


def cells_of(**study):
    return expand(parse_study(study))


def only(**study):
    study.setdefault("seeds", 1)
    (cell,) = cells_of(**study)
    return cell


def stacks(study, execution="stacked", device="cpu"):
    cells = expand(parse_study(study))
    return layout(cells, {cell.shape_key: execution for cell in cells}, device)


def test_an_id_never_changes():
    """A new option with a default changes ids on purpose: then raise ``_CONTENT_VERSION`` or renew these."""
    cell = only(
        data={"name": "digits", "train_size": 200, "val_size": 200},
        model={"name": "convnet", "width": 8},
        compare=[{"recipe": {"Mixup": {"alpha": 1.0}}, "schedule": {"off_at": 128}}],
        seeds=[3],
    )
    assert cell.content == {
        "version": 2,
        "data": {"name": "digits", "train_size": 200, "val_size": 200, "balanced": False},
        "model": {"name": "convnet", "width": 8, "batch_norm": False},
        "train": {
            "epochs": 1000,
            "batch_size": 64,
            "objective": "cross_entropy",
            "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
            "lr_schedule": {"name": "constant", "milestones": [0.5, 0.75], "gamma": 0.1, "warmup": 0.0},
        },
        "recipe": {"Mixup": {"alpha": 1.0, "per": "batch"}},
        "schedule": {"off_at": 128},
        "seed": 3,
    }
    assert cell.id == "d9b8a6b5d32cb800"
    assert StackTask((cell,), "stacked", "cpu").id == "64d02bb527d56b53"


TRACKED = {
    "data": "fashion_mnist",
    "model": "resnet18",
    "train": {
        "optimizer": "adamw",
        "average": 0.99,
        "augment": {},
        "track": ["memorization", "gradient_norm"],
        "lr_schedule": {"name": "multistep", "milestones": [10, 0.5], "warmup": 2},
    },
    "compare": [{"recipe": "CutMix"}],
}
DECIDING = {
    "data": {"name": "digits", "val_size": 200, "balanced": True, "train_size": 0.5},
    "compare": [
        {"schedule": "auto"},
        {"name": "held", "schedule": {"auto": {"holdout": 0.2}}},
        {"name": "on", "schedule": {"on_from": 5}},
    ],
}
OVERRIDING = {
    "model": {"name": "mlp", "hidden": [8], "dropout": 1},
    "compare": [
        {
            "recipe": {"Mixup": {"alpha": float("inf")}},
            "data": {"name": "mnist1d"},
            "model": "convnet",
            "train": {"epochs": 7, "optimizer": "adamw"},
        }
    ],
}
THREE = {  # what was compared, and nothing held out, where a study did not say so
    "compare": [
        {"name": "ERM", "recipe": "NoMixup", "schedule": "never"},
        {"name": "Mixup"},
        {"name": "Mixup → ERM @50%", "schedule": {"off_at": 0.5}},
    ]
}
NPZ = {
    "data": {"name": "npz", "path": "/somewhere/data.npz"},
    "compare": [{"recipe": "NoMixup", "schedule": "never"}],
    "seeds": [5],
}


@pytest.mark.parametrize(
    ("study", "stack", "shape", "pool"),
    [
        (THREE, "0a2a2e639852ec35", "ad6fb5baac838a11", '{"name":"digits"}'),
        (
            TRACKED,
            "57748babbf354d88",
            "4b9e1d2be33bde60",
            '{"download":false,"name":"fashion_mnist","path":""}',
        ),
        (DECIDING, "71283b28d6a7c38b", "401bbbb0460ef819", '{"name":"digits"}'),
        (OVERRIDING, "69eacc0d67c1e970", "d6f44347def8f92f", '{"name":"mnist1d"}'),
        (NPZ, "c79f7e25147c621b", "f4614e0bac4b94d2", '{"name":"npz","path":"/somewhere/data.npz","test_size":0.25}'),
    ],
)
def test_what_run_directories_are_keyed_by_never_changes(study, stack, shape, pool):
    cells = cells_of(**study)
    assert StackTask(tuple(cells), "looped", "cpu").id == stack
    assert cells[-1].shape_key == shape
    assert pool_key(cells[-1].data) == pool


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"compare": [{"recipe": "Mixup"}]}, {"compare": [{"recipe": {"Mixup": {"alpha": 1}}}]}),
        ({"compare": [{"recipe": {"Mixup": {"per": "batch"}}}]}, {"compare": [{"recipe": {"Mixup": {"alpha": 1.0}}}]}),
        ({"compare": [{"name": "A"}]}, {"compare": [{"name": "B"}]}),
        ({"compare": [{}], "model": "mlp"}, {"compare": [{}], "model": {"hidden": [256, 256], "dropout": 0}}),
        ({"compare": [{"train": {"epochs": 5}}]}, {"compare": [{}], "train": {"epochs": 5}}),
        ({"compare": [{}], "train": {"optimizer": {"lr": 1}}}, {"compare": [{}], "train": {"optimizer": {"lr": 1.0}}}),
        (
            {"compare": [{"train": {"optimizer": "adamw"}}]},
            {"compare": [{}], "train": {"optimizer": {"name": "adamw", "lr": 0.001}}},
        ),
        (
            {"compare": [{}], "train": {"track": ["memorization", "gradient_norm"]}},
            {"compare": [{"train": {"track": ["gradient_norm", "memorization"]}}]},
        ),
        ({"compare": [{"train": {"track": []}}], "train": {"track": ["memorization"]}}, {"compare": [{}]}),
        ({"compare": [{}], "train": {"average": None, "augment": None}}, {"compare": [{}]}),
        ({"compare": [{"train": {"augment": None}}], "train": {"augment": {}}}, {"compare": [{}]}),
        ({"compare": [{}], "train": {"augment": {"crop": 4}}}, {"compare": [{"train": {"augment": {"flip": True}}}]}),
        ({"compare": [{}], "name": "this"}, {"compare": [{}], "name": "that"}),
        ({"compare": [{}], "seeds": [0]}, {"compare": [{}], "executor": {"workers": 3}}),
    ],
)
def test_the_same_training_has_the_same_id_however_it_is_written(one, other):
    assert only(**one).id == only(**other).id


def test_different_trainings_have_different_ids():
    variants = [
        {},
        {"compare": [{"recipe": {"Mixup": {"alpha": 0.5}}}]},
        {"compare": [{"recipe": {"Mixup": {"alpha": float("inf")}}}]},
        {"compare": [{"recipe": "NoMixup"}]},
        {"compare": [{"schedule": "never"}]},
        {"compare": [{"schedule": {"off_at": 5}}]},
        {"seeds": [1]},
        {"data": {"train_size": 100}},
        {"data": {"val_size": 100}},
        {"data": {"balanced": True}},
        {"data": "mnist1d"},
        {"model": {"hidden": [256]}},
        {"train": {"epochs": 5}},
        {"train": {"batch_size": 32}},
        {"train": {"optimizer": {"lr": 0.1}}},
        {"train": {"optimizer": {"weight_decay": 0.1}}},
        {"train": {"optimizer": {"nesterov": True}}},
        {"train": {"lr_schedule": "cosine"}},
        {"train": {"average": 0.9}},
        {"train": {"optimizer": "adamw"}},
        {"train": {"optimizer": {"name": "adamw", "betas": [0.5, 0.9]}}},
        {"train": {"augment": {}}},
        {"train": {"augment": {"crop": 2}}},
        {"train": {"track": ["gradient_norm"]}},
        {"train": {"track": ["gradient_norm", "memorization"]}},
    ]
    ids = [only(**({"compare": [{}]} | variant)).id for variant in variants]
    assert len(set(ids)) == len(variants)


@pytest.mark.parametrize(
    ("variant", "together"),
    [
        ({"recipe": {"Mixup": {"alpha": 0.5}}}, True),
        ({"schedule": {"off_at": 5}}, True),
        ({"train": {"optimizer": {"lr": 0.1, "weight_decay": 0.1}}}, True),
        ({"train": {"lr_schedule": "cosine"}}, True),
        ({"train": {"optimizer": {"momentum": 0.5}}}, False),
        ({"train": {"optimizer": {"nesterov": True}}}, False),
        ({"train": {"epochs": 5}}, False),
        ({"train": {"average": 0.9}}, False),
        ({"train": {"augment": {}}}, False),
        ({"train": {"optimizer": "adamw"}}, False),
        ({"train": {"batch_size": 32}}, False),
        ({"model": {"hidden": [3]}}, False),
        ({"data": {"train_size": 100}}, False),
        ({"data": {"balanced": True}}, False),
    ],
)
def test_a_stack_holds_what_differs_only_in_recipe_schedule_seed_and_rates(variant, together):
    tasks = stacks({"compare": [{"name": "A"}, {"name": "B", **variant}], "seeds": 2})
    assert len(tasks) == (1 if together else 2)


def test_cells_come_condition_by_condition_with_the_seeds_as_given():
    cells = cells_of(compare=[{"name": "A"}, {"name": "B"}], seeds=[5, 2])
    assert [(cell.condition, cell.seed) for cell in cells] == [("A", 5), ("A", 2), ("B", 5), ("B", 2)]


@pytest.mark.parametrize(
    ("execution", "device", "size"),
    [("stacked", "cpu", 8), ("stacked", "cuda", 32), ("looped", "cpu", 1), ("looped", "cuda", 1)],
)
def test_the_size_of_a_stack(execution, device, size):
    assert stack_size(execution, device) == size
    sizes = [len(task.cells) for task in stacks(THREE | {"seeds": 13}, execution, device)]
    assert max(sizes) == min(size, 39)
    assert sum(sizes) == 39
    assert all(
        task.execution == execution and task.device == device
        for task in stacks(THREE | {"seeds": 3}, execution, device)
    )


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 5), st.sampled_from(["stacked", "looped"]))
def test_every_cell_is_in_one_stack(n_seeds, n_conditions, execution):
    study = {"compare": [{"name": str(number)} for number in range(n_conditions)], "seeds": n_seeds}
    tasks = stacks(study, execution)
    laid = Counter((cell.condition, cell.seed) for task in tasks for cell in task.cells)
    assert laid == Counter((str(number), seed) for number in range(n_conditions) for seed in range(n_seeds))
    assert all(1 <= len(task.cells) <= stack_size(execution, "cpu") for task in tasks)


def test_the_layout_does_not_depend_on_workers_or_name():
    one = stacks({"seeds": 20, "executor": {"workers": 1}})
    two = stacks({"seeds": 20, "executor": {"workers": 7}, "name": "other"})
    assert [task.id for task in one] == [task.id for task in two]


@settings(max_examples=25)
@given(st.integers(1, 2), st.integers(0, 12), st.integers(1, 3), st.integers(0, 2))
def test_more_seeds_or_conditions_keep_the_stacks_of_whole_blocks(blocks, more_seeds, n_conditions, more_conditions):
    def study(n, seeds):
        return {"compare": [{"name": str(a), "recipe": {"Mixup": {"alpha": a}}} for a in range(n)], "seeds": seeds}

    before = {task.id for task in stacks(study(n_conditions, 8 * blocks))}
    after = {task.id for task in stacks(study(n_conditions + more_conditions, 8 * blocks + more_seeds))}
    assert before <= after


def test_twins_share_everything_but_what_is_compared():
    erm, mixup = (cell for cell in cells_of(compare=[{"recipe": "NoMixup"}, {"recipe": "Mixup"}], seeds=[4]))
    differing = {key for key in erm.content if erm.content[key] != mixup.content[key]}
    assert differing == {"recipe"}


def test_a_stacks_id_depends_on_cells_order_execution_and_device():
    a, b = cells_of(compare=[{}], seeds=2)
    ids = [
        StackTask(cells, execution, device).id
        for cells, execution, device in [
            ((a, b), "stacked", "cpu"),
            ((b, a), "stacked", "cpu"),
            ((a,), "stacked", "cpu"),
            ((a, b), "looped", "cpu"),
            ((a, b), "stacked", "cuda"),
        ]
    ]
    assert len(set(ids)) == len(ids)
