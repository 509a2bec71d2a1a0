import pickle
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from overmix.errors import ConfigError, DataError
from overmix.mix import IGNORE_INDEX, MixedTarget, mixed_cross_entropy
from overmix.mix.objective import AbsoluteError, BinaryCrossEntropy, CrossEntropy, PartlyLabelled, SquaredError
from overmix.recipes import Mixup

seeds = st.integers(0, 2**31)
batch_sizes = st.integers(1, 9)
places = st.sampled_from([(), (3,), (2, 5)])


def is_of_rows(a, num_classes):
    """Whether class indices have the shape of multi-label rows, as which a dense target is made of them."""
    return a.dim() == 2 and a.shape[1] == num_classes


def random_target(seed, batch_size, num_classes, place=(), dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    a, b = torch.randint(num_classes, (2, batch_size, *place), generator=g)
    logits = 3 * torch.randn(batch_size, num_classes, *place, generator=g, dtype=dtype)
    return MixedTarget(a, b, torch.rand(batch_size, generator=g)), logits


def like(lam, tensor):
    return lam.double().view(-1, *[1] * (tensor.dim() - 1))


@given(seeds, batch_sizes, st.integers(1, 6), places)
def test_cross_entropy_is_that_of_the_dense_soft_label(seed, batch_size, num_classes, place):
    target, logits = random_target(seed, batch_size, num_classes, place)
    assume(not is_of_rows(target.a, num_classes))
    dense = target.soft(num_classes)
    assert dense.shape == logits.shape
    # The dense label is float32, as lam is.
    torch.testing.assert_close(target.cross_entropy(logits), F.cross_entropy(logits, dense.double()), atol=0, rtol=1e-6)


@given(seeds, batch_sizes, st.integers(1, 6), places, st.booleans())
def test_cross_entropy_with_weights_and_ignored_labels_is_a_weighted_mean_of_pytorchs(
    seed, batch_size, num_classes, place, weighted
):
    target, logits = random_target(seed, batch_size, num_classes, place)
    g = torch.Generator().manual_seed(seed + 1)
    drop = torch.rand(2, *target.a.shape, generator=g) < 0.3
    a, b = target.a.masked_fill(drop[0], IGNORE_INDEX), target.b.masked_fill(drop[1], IGNORE_INDEX)
    weight = torch.rand(num_classes, generator=g, dtype=torch.float64) + 0.1 if weighted else None
    losses = [F.cross_entropy(logits, side, weight, reduction="none") for side in (a, b)]
    ones = torch.ones(num_classes, dtype=torch.float64) if weight is None else weight
    shares = [torch.where(side == IGNORE_INDEX, 0.0, ones[side.clamp_min(0)]) for side in (a, b)]
    lam = like(target.lam, a)
    total = (lam * shares[0] + (1 - lam) * shares[1]).sum()
    expected = (lam * losses[0] + (1 - lam) * losses[1]).sum() / total if total else torch.zeros(()).double()
    found = MixedTarget(a, b, target.lam).cross_entropy(logits, weight=weight)
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=1e-12)


@given(seeds, batch_sizes, st.integers(2, 5), st.integers(-300, 300))
def test_any_index_can_be_the_ignored_one(seed, batch_size, num_classes, ignored):
    target, logits = random_target(seed, batch_size, num_classes)
    own = target.a.clone()
    own[0] = ignored
    found = MixedTarget(own, own, target.lam).cross_entropy(logits, ignore_index=ignored)
    expected = F.cross_entropy(logits, own, ignore_index=ignored)
    torch.testing.assert_close(found, torch.nan_to_num(expected), atol=1e-14, rtol=1e-12)


def test_with_every_label_ignored_the_loss_and_its_gradient_are_zero():
    logits = torch.randn(3, 4, requires_grad=True)
    ignored = torch.full((3,), IGNORE_INDEX)
    loss = MixedTarget(ignored, ignored, torch.rand(3)).cross_entropy(logits)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@given(seeds, batch_sizes, st.integers(1, 6))
def test_gradients_are_those_of_the_dense_soft_label(seed, batch_size, num_classes):
    target, logits = random_target(seed, batch_size, num_classes)
    logits.requires_grad_()
    (sparse,) = torch.autograd.grad(target.cross_entropy(logits), logits)
    (dense,) = torch.autograd.grad(F.cross_entropy(logits, target.soft(num_classes).double()), logits)
    torch.testing.assert_close(sparse, dense, atol=1e-7, rtol=0)


@given(seeds, batch_sizes, st.integers(1, 6))
def test_per_sample_cross_entropy_averages_to_the_targets(seed, batch_size, num_classes):
    target, logits = random_target(seed, batch_size, num_classes)
    per_sample = mixed_cross_entropy(logits, target.a, target.b, target.lam)
    assert per_sample.shape == (batch_size,)
    torch.testing.assert_close(per_sample.mean(), target.cross_entropy(logits), atol=1e-14, rtol=1e-12)


def test_per_sample_cross_entropy_of_a_stack_is_that_of_its_parts():
    g = torch.Generator().manual_seed(0)
    logits, lam = torch.randn(3, 5, 4, generator=g), torch.rand(3, 5, generator=g)
    a, b = torch.randint(4, (2, 3, 5), generator=g)
    stacked = mixed_cross_entropy(logits, a, b, lam)
    looped = torch.stack([mixed_cross_entropy(*parts) for parts in zip(logits, a, b, lam, strict=True)])
    assert torch.equal(stacked, looped)


class Calls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_cross_entropy_takes_one_log_softmax_and_builds_no_dense_target():
    target, logits = random_target(0, batch_size=64, num_classes=1000)
    for call in (target.cross_entropy, lambda z: mixed_cross_entropy(z, target.a, target.b, target.lam)):
        with Calls() as calls:
            call(logits)
        assert calls.names.count("_log_softmax") == 1
        assert not {"one_hot", "scatter", "scatter_"} & set(calls.names)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_neither_overflows_nor_drifts_on_dense_predictions(dtype):
    # 160,000 positions: their number is beyond float16, and their sum beyond what bfloat16 can add up.
    target, logits = random_target(0, batch_size=4, num_classes=5, place=(200, 200), dtype=torch.float32)
    loss = target.cross_entropy(logits.to(dtype))
    assert loss.dtype == dtype
    torch.testing.assert_close(loss.float(), target.cross_entropy(logits), atol=0, rtol=torch.finfo(dtype).eps * 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("label", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_losses_keep_the_logits_dtype_for_every_kind_of_class_index(dtype, label):
    side = torch.tensor([0, 1, 1]).to(label)
    target = MixedTarget(side, side.flip(0), torch.tensor([0.25, 0.5, 1.0]))
    logits = torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]], dtype=dtype)
    assert target.cross_entropy(logits).dtype == dtype
    assert target.soft(2).tolist() == [[0.25, 0.75], [0.0, 1.0], [0.0, 1.0]]


@given(seeds, batch_sizes, st.integers(1, 6), places)
def test_soft_rows_of_class_indices_are_exactly_lam_and_one_minus_lam(seed, batch_size, num_classes, place):
    target, _ = random_target(seed, batch_size, num_classes, place)
    assume(not is_of_rows(target.a, num_classes))
    rows = target.soft(num_classes).movedim(1, -1)
    lam = target.lam.view(-1, *[1] * len(place)).expand(target.a.shape)
    same = target.a == target.b
    at_a = rows.gather(-1, target.a.unsqueeze(-1)).squeeze(-1)
    at_b = rows.gather(-1, target.b.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(at_a, torch.where(same, 1.0, lam), atol=1e-7, rtol=0)
    torch.testing.assert_close(at_b, torch.where(same, 1.0, 1 - lam), atol=1e-7, rtol=0)
    torch.testing.assert_close(rows.sum(-1), torch.ones_like(lam), atol=1e-6, rtol=0)
    assert ((rows != 0).sum(-1) <= 2).all()


@given(seeds, batch_sizes, st.sampled_from([(), (1,), (4,), (2, 3)]))
def test_soft_labels_and_regression_values_are_mixed_linearly(seed, batch_size, place):
    g = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, batch_size, *place, generator=g)
    lam = torch.rand(batch_size, generator=g)
    weight = lam.view(-1, *[1] * len(place))
    torch.testing.assert_close(MixedTarget(a, b, lam).soft(), weight * a + (1 - weight) * b)


def test_one_sided_targets_keep_their_labels_bit_for_bit():
    a, b = torch.randn(2, 5, 3)
    assert torch.equal(MixedTarget(a, b, torch.ones(5)).soft(), a)
    assert torch.equal(MixedTarget(a, b, torch.zeros(5)).soft(), b)


def test_soft_rows_train_as_pytorchs_dense_targets_do_and_may_be_weighted():
    rows = torch.eye(3)[torch.tensor([0, 2, 1, 1])] * 0.9 + 0.1 / 3
    target = MixedTarget(rows, rows.flip(0), torch.tensor([0.3, 0.6, 0.9, 1.0]))
    logits, weight = torch.randn(4, 3), torch.tensor([1.0, 2.0, 0.5])
    for extra in ({}, {"weight": weight}, {"label_smoothing": 0.2}):
        torch.testing.assert_close(
            target.cross_entropy(logits, **extra), F.cross_entropy(logits, target.soft(), **extra)
        )


@pytest.mark.parametrize(
    "shapes", [((4,), (4, 3, 2)), ((4, 2), (4, 3)), ((3,), (4, 3)), ((4, 1), (4, 3))], ids=lambda s: f"{s[0]}-{s[1]}"
)
def test_class_indices_that_do_not_fit_the_logits_are_refused(shapes):
    label, logits = shapes
    y = torch.zeros(label, dtype=torch.int64)
    with pytest.raises(DataError, match="need class indices of shape"):
        MixedTarget(y, y, torch.ones(label[0])).cross_entropy(torch.zeros(logits))


def test_regression_values_are_not_taken_for_classes():
    y = torch.tensor([0.5, 1.5])
    with pytest.raises(DataError, match=r"for regression use \.loss"):
        MixedTarget(y, y, torch.ones(2)).cross_entropy(torch.zeros(2, 3))


CRITERIA = {
    "cross-entropy": (F.cross_entropy, lambda n: torch.randn(n, 3), lambda n: torch.randint(3, (n,))),
    "mean squared error": (F.mse_loss, lambda n: torch.randn(n, 2), lambda n: torch.randn(n, 2)),
    "mean absolute error": (F.l1_loss, lambda n: torch.randn(n), lambda n: torch.randn(n)),
    "multi-label": (
        F.binary_cross_entropy_with_logits,
        lambda n: torch.randn(n, 4),
        lambda n: torch.randint(2, (n, 4)).float(),
    ),
}


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_loss_is_the_mean_of_per_sample_mixtures_of_the_two_losses(name, batch_size):
    torch.manual_seed(0)
    criterion, outputs, labels = CRITERIA[name]
    output, a, b, lam = outputs(batch_size), labels(batch_size), labels(batch_size), torch.rand(batch_size)
    found = MixedTarget(a, b, lam).loss(lambda out, y: criterion(out, y, reduction="none"), output)
    terms = []
    for i in range(batch_size):
        own, other = (criterion(output[i : i + 1], side[i : i + 1]) for side in (a, b))
        terms.append(lam[i] * own + (1 - lam[i]) * other)
    torch.testing.assert_close(found, torch.stack(terms).mean())


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_criterion_that_reduces_is_refused(reduction, batch_size):
    target = MixedTarget(torch.zeros(batch_size), torch.ones(batch_size), torch.rand(batch_size))
    with pytest.raises(ConfigError, match=r"^criterion = \(\): return one loss per sample.*reduction='none'"):
        target.loss(torch.nn.MSELoss(reduction=reduction), torch.zeros(batch_size))


def test_a_criterion_that_reduces_over_the_batch_only_is_refused():
    target = MixedTarget(torch.zeros(4, 3), torch.ones(4, 3), torch.rand(4))
    with pytest.raises(ConfigError, match="return one loss per sample"):
        target.loss(lambda output, y: (output - y).square().mean(0), torch.zeros(4, 3))


@pytest.mark.parametrize(("output", "label"), [((4, 1), (4,)), ((4,), (4, 1))])
def test_a_column_against_no_column_is_not_broadcast_to_all_pairs(output, label):
    target = MixedTarget(torch.zeros(label), torch.ones(label), torch.rand(4))
    with pytest.raises(DataError, match="broadcast them to all pairs"):
        target.loss(lambda out, y: (out - y).square(), torch.zeros(output))
    with pytest.raises(DataError, match=r"output has shape \(4,.* but y has \(4,.* compares value by value"):
        target.loss(torch.nn.MSELoss(reduction="none"), torch.zeros(output))
    careful = target.loss(lambda out, y: (out.reshape(4) - y.reshape(4)).square(), torch.zeros(output))
    torch.testing.assert_close(careful, (1 - target.lam).mean())


def test_accuracy_is_the_share_of_label_mass_that_was_predicted():
    logits = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    a, b = torch.tensor([0, 0, 2, 0]), torch.tensor([1, 1, 2, 1])
    lam = torch.tensor([0.75, 0.75, 0.5, 0.5])
    assert MixedTarget(a, b, lam).accuracy(logits) == (0.75 + 0.25 + 1 + 0) / 4
    rows = MixedTarget(torch.eye(3)[a], torch.eye(3)[b], lam)
    assert rows.accuracy(logits) == MixedTarget(a, b, lam).accuracy(logits)


def test_accuracy_of_dense_predictions_weights_samples_and_not_positions():
    # As many samples as positions: a lam that broadcasts over the wrong dimension would go unnoticed by its shape.
    logits = torch.zeros(2, 3, 2)
    logits[:, 0] = 1
    a, b = torch.zeros(2, 2, dtype=torch.int64), torch.ones(2, 2, dtype=torch.int64)
    b[1, 1] = 0
    assert MixedTarget(a, b, torch.tensor([1.0, 0.5])).accuracy(logits) == (1 + 1 + 0.5 + 1) / 4


def test_dense_targets_name_what_is_missing_or_out_of_range():
    target = MixedTarget(torch.tensor([0, 3]), torch.tensor([1, 2]), torch.ones(2))
    with pytest.raises(ConfigError, match=r"^num_classes = None"):
        target.soft()
    with pytest.raises(ConfigError, match=r"^num_classes = 3: use at least 4: label 3 occurs"):
        target.soft(3)
    with pytest.raises(DataError, match=f"class index {IGNORE_INDEX}"):
        MixedTarget(torch.tensor([0, IGNORE_INDEX]), torch.tensor([0, 1]), torch.ones(2)).soft(3)


@pytest.mark.parametrize(
    ("labels", "num_classes"),
    [
        (torch.tensor([0, 3, IGNORE_INDEX, 2]), 3),
        (torch.tensor([[0, 1], [2, 9], [0, -1], [2, 1]]), 3),  # positions
        (torch.tensor([[0, 1, 1], [0, 2, 1], [0, -1, 0], [1, 1, 1]]), 3),  # multi-label
    ],
)
def test_where_values_are_not_seen_dense_rows_of_what_is_no_label_are_nan(labels, num_classes):
    # As on another device than the CPU, which a look would wait for: under vmap there is nothing to see.
    lam = torch.full((4,), 0.5)
    dense = torch.func.vmap(lambda y: MixedTarget(y, y, lam).soft(num_classes))(labels.unsqueeze(0))[0]
    assert dense.isfinite().flatten(1).all(1).tolist() == [True, False, False, True]
    for good in (slice(0, 1), slice(3, 4)):
        assert torch.equal(dense[good], MixedTarget(labels, labels, lam)[good].soft(num_classes))


def test_targets_move_between_devices():
    target = MixedTarget(torch.tensor([0]), torch.tensor([1]), torch.ones(1)).to("meta")
    assert {side.device.type for side in (target.a, target.b, target.lam)} == {"meta"}


@given(seed=st.integers(0, 2**32 - 1), batch_size=st.integers(1, 9), num_classes=st.integers(2, 6))
def test_no_cross_entropy_is_below_the_mean_entropy_of_the_labels(seed, batch_size, num_classes):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(num_classes, (2, batch_size), generator=generator)
    target = MixedTarget(a, b, torch.rand(batch_size, generator=generator))
    floor = target.entropy().mean()
    assert target.cross_entropy(torch.randn(batch_size, num_classes, generator=generator)) >= floor
    # The label itself reaches it, and soft rows say the same as class indices.
    best = target.soft(num_classes).clamp_min(1e-30).log()
    torch.testing.assert_close(target.cross_entropy(best), floor, atol=1e-6, rtol=1e-5)
    rows = torch.nn.functional.one_hot(torch.stack([a, b]), num_classes).float()
    torch.testing.assert_close(MixedTarget(*rows, target.lam).entropy(), target.entropy(), atol=1e-6, rtol=1e-5)


def test_multi_label_rows_are_known_by_their_shape_and_class_maps_by_theirs():
    rows = torch.tensor([[1, 0, 1], [0, 0, 1]])
    lam = torch.tensor([0.25, 1.0])
    for kind in (torch.int64, torch.uint8, torch.bool, torch.float32):
        target = MixedTarget(rows.to(kind), rows.flip(0).to(kind), lam)
        for dense in (target.soft(), target.soft(3) if kind != torch.float32 else target.soft()):
            torch.testing.assert_close(dense, torch.tensor([[0.25, 0, 1], [0, 0, 1]]))
    assert MixedTarget(rows, rows, lam).soft(2).shape == (2, 2, 3)
    with pytest.raises(DataError, match=r"as multi-label rows of 3 classes, but holds 2"):
        MixedTarget(2 * rows, rows, lam).soft(3)


def test_the_label_mass_of_ignored_labels_is_not_counted():
    y = torch.arange(4)
    half = torch.where(y < 2, y, IGNORE_INDEX)
    assert MixedTarget(half, half, torch.rand(4)).accuracy(torch.eye(4)) == 1
    assert MixedTarget(half, half, torch.rand(4)).accuracy(torch.eye(4).flip(0)) == 0


@pytest.mark.parametrize("label", [torch.zeros(4), torch.zeros(4, 1, dtype=torch.int64)])
def test_accuracy_of_what_are_no_classes_is_refused(label):
    with pytest.raises(DataError):
        MixedTarget(label, label, torch.ones(4)).accuracy(torch.zeros(4, 3))


def test_slices_are_the_targets_of_micro_batches():
    target, logits = random_target(0, 6, 3)
    assert len(target) == 6
    for samples in (slice(0, 4), slice(4, None), torch.tensor([5, 0]), torch.tensor([True] * 5 + [False])):
        part = target[samples]
        expected = MixedTarget(target.a[samples], target.b[samples], target.lam[samples])
        assert part.cross_entropy(logits[samples]) == expected.cross_entropy(logits[samples])
    total = sum(target[i : i + 2].cross_entropy(logits[i : i + 2], reduction="sum") for i in (0, 2, 4))
    torch.testing.assert_close(total / 6, target.cross_entropy(logits))
    for wrong in (0, [0, 1], "a"):
        with pytest.raises(TypeError, match="at slices and tensors of indices"):
            target[wrong]


TORCHS = [
    lambda out, y: F.mse_loss(out, y),
    lambda out, y: torch.nn.L1Loss()(out, y),
    lambda out, y: F.smooth_l1_loss(out, y),
    lambda out, y: torch.add(out, y),
    lambda out, y: out * y,
    lambda out, y: F.cross_entropy(y, out),
]


@pytest.mark.parametrize("call", TORCHS)
def test_functions_that_are_not_linear_in_the_label_are_refused_in_one_line(call):
    target = MixedTarget(torch.zeros(3, 2), torch.ones(3, 2), torch.rand(3))
    with pytest.raises(TypeError, match=r"MixedTarget") as caught:
        call(torch.rand(3, 2), target)
    assert "\n" not in str(caught.value)


def test_a_compiled_loss_takes_the_target():
    target, logits = random_target(0, 6, 3, dtype=torch.float32)
    compiled = torch.compile(lambda z, t: torch.nn.functional.cross_entropy(z, t), backend="eager")
    torch.testing.assert_close(compiled(logits, target), target.cross_entropy(logits))
    assert torch.equal(compiled(logits, Mixup().unmixed(logits, target.a)[1]), F.cross_entropy(logits, target.a))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": [1, 2, 3]}, r"^weight = \[1, 2, 3\]: give a tensor of one for each class"),
        ({"weight": torch.ones(4)}, r"^weight = \(4,\): give one for each class, shape \(3,\)"),
        ({"label_smoothing": 1.5}, r"^label_smoothing = 1\.5"),
        ({"sample_weight": torch.ones(6, 1)}, r"^sample_weight = \(6, 1\): give one for each sample, shape \(6,\)"),
        ({"sample_weight": 2.0}, r"^sample_weight = 2\.0"),
        ({"reduction": "max"}, r"^reduction = 'max'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, message, unchecked_shapes):
    target, logits = random_target(0, 6, 3)
    with pytest.raises(ConfigError, match=message):
        target.cross_entropy(logits, **arguments)


LOSSES_OF_CLASSES = {
    "cross_entropy": lambda z, t: t.cross_entropy(z),
    "loss": lambda z, t: t.loss(torch.nn.CrossEntropyLoss(reduction="none"), z),
    "loss of a function": lambda z, t: t.loss(lambda out, y: F.cross_entropy(out, y, reduction="none"), z),
    "weighted loss": lambda z, t: t.loss(torch.nn.CrossEntropyLoss(torch.ones(3), reduction="none"), z),
    "nll_loss": lambda z, t: F.nll_loss(z.log_softmax(1), t),
    "sum": lambda z, t: F.nll_loss(z.log_softmax(1), t, reduction="sum"),
    "under": lambda z, t: t.under(CrossEntropy(), z),
    "partly labelled": lambda z, t: t.under(PartlyLabelled(), z),
}


@pytest.mark.parametrize("name", LOSSES_OF_CLASSES)
def test_a_class_that_the_model_rules_out_costs_nothing_where_it_has_no_weight(name):
    classes = torch.tensor([0]), torch.tensor([1])
    for (a, b), lam in ((classes, torch.ones(1)), (classes[::-1], torch.zeros(1))):
        logits = torch.tensor([[0.0, -torch.inf, 0.0]], requires_grad=True)
        loss = LOSSES_OF_CLASSES[name](logits, MixedTarget(a, b, lam))
        loss.backward()
        torch.testing.assert_close(loss.detach(), torch.tensor(2.0).log())
        assert torch.isfinite(logits.grad).all()
    assert not LOSSES_OF_CLASSES[name](logits, MixedTarget(*classes, torch.tensor([0.5]))).isfinite()


def test_an_unknown_reduction_is_refused_mixed_and_off():
    log_p, y = torch.randn(3, 2).log_softmax(1), torch.tensor([0, 1, 1])
    for target in (MixedTarget(y, y.flip(0), torch.rand(3)), Mixup().unmixed(log_p, y)[1]):
        with pytest.raises(ConfigError, match=r"^reduction = 'Mean': use 'mean', 'sum' or 'none'"):
            F.nll_loss(log_p, target, reduction="Mean")


def test_weights_of_classes_of_a_function_of_ones_own_may_lie_elsewhere_than_the_second_dimension():
    a, b = torch.randint(3, (2, 4, 5), generator=torch.Generator().manual_seed(0))
    weight, output, target = torch.tensor([1.0, 2.0, 0.5]), torch.randn(4, 5, 3), MixedTarget(a, b, torch.rand(4))
    last = lambda out, y: F.cross_entropy(out.mT, y, weight, reduction="none")  # noqa: E731
    torch.testing.assert_close(target.loss(last, output, weight=weight), target.cross_entropy(output.mT, weight))
    with pytest.raises(ConfigError, match=r"^weight = \(3,\): give one for each class, shape \(5,\)"):
        target.loss(torch.nn.CrossEntropyLoss(weight, reduction="none"), output)


NAN = float("nan")


@pytest.mark.parametrize("partner", [[0, 1, 2], [2, 0, 1]], ids=["unmixed", "mixed"])
@pytest.mark.parametrize("where", ["weight", "sample_weight", "lam"])
def test_what_is_not_a_number_is_seen_in_the_loss(where, partner):
    y, logits = torch.arange(3), torch.randn(3, 3)
    spoilt = torch.tensor([1.0, NAN, 1.0])
    target = MixedTarget(
        y, y if partner == [0, 1, 2] else y[partner], spoilt if where == "lam" else torch.full((3,), 1.0)
    )
    weights = {} if where == "lam" else {where: spoilt}
    criterion = torch.nn.CrossEntropyLoss(reduction="none", weight=weights.get("weight"))
    assert target.cross_entropy(logits, **weights).isnan()
    assert target.loss(criterion, logits, **weights).isnan()
    assert target.accuracy(logits, **weights).isnan()
    if where == "sample_weight":
        sides = MixedTarget(spoilt, spoilt[partner], target.lam)
        assert target.cross_entropy(logits, sample_weight=sides).isnan()


def test_weights_below_zero_are_divided_by_as_pytorch_does():
    target, logits = random_target(0, 6, 3)
    minus = -torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(target.cross_entropy(logits, minus), target.cross_entropy(logits))
    torch.testing.assert_close(target.cross_entropy(logits, sample_weight=-torch.ones(6)), target.cross_entropy(logits))
    sides = MixedTarget(-torch.arange(1.0, 7), -torch.arange(1.0, 7).flip(0), target.lam)
    opposite = MixedTarget(-sides.a, -sides.b, target.lam)
    torch.testing.assert_close(
        target.cross_entropy(logits, sample_weight=sides), target.cross_entropy(logits, sample_weight=opposite)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [False, True], ids=["classes", "rows"])
def test_a_batch_that_is_handed_through_has_pytorchs_own_loss_and_gradient_to_the_bit(dtype, rows):
    g = torch.Generator().manual_seed(0)
    weight = torch.rand(10, generator=g).to(dtype)
    for _ in range(10):
        logits = (3 * torch.randn(32, 10, 2, generator=g)).to(dtype).requires_grad_()
        y = torch.rand(32, 10, 2, generator=g).softmax(1).to(dtype) if rows else torch.randint(10, (32, 2), generator=g)
        if not rows:
            y[:3] = IGNORE_INDEX
        _, target = Mixup().unmixed(logits, y)
        for extra in ({}, {"weight": weight}, {"weight": weight, "label_smoothing": 0.1}, {"reduction": "sum"}):
            found, expected = (F.cross_entropy(logits, label, **extra) for label in (target, y))
            assert torch.equal(found, expected)
            assert torch.equal(*(torch.autograd.grad(loss, logits)[0] for loss in (found, expected)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_so_have_the_other_losses_of_pytorch_that_take_a_target(dtype):
    g = torch.Generator().manual_seed(0)
    output, weight = (torch.rand(*shape, generator=g).to(dtype) for shape in ((32, 10), (10,)))
    classes, rows = (
        torch.randint(10, (32,), generator=g),
        torch.rand(32, 10, generator=g, dtype=torch.float64).to(dtype),
    )
    for loss, y in (
        (torch.nn.NLLLoss(), classes),
        (torch.nn.NLLLoss(weight=weight, ignore_index=3), classes),
        (torch.nn.BCELoss(), rows),
        (torch.nn.BCEWithLogitsLoss(pos_weight=weight), rows),
        (torch.nn.CrossEntropyLoss(), rows),
    ):
        assert torch.equal(loss(output, Mixup().unmixed(output, y)[1]), loss(output, y))


def test_rows_of_half_precision_are_mixed_and_summed_in_float32():
    a, b = (rows.bfloat16() for rows in torch.randn(2, 64, 100, generator=torch.Generator().manual_seed(0)).softmax(-1))
    half, lam, output = MixedTarget(a, b, torch.full((64,), 0.3)), 0.3, torch.randn(64, 100)
    rows = lam * a.float() + (1 - lam) * b.float()
    full = MixedTarget(rows, rows, torch.ones(64))
    torch.testing.assert_close(half.soft(), rows)
    for kind in ("cross_entropy", "binary_cross_entropy"):
        torch.testing.assert_close(half.entropy(kind), full.entropy(kind))
    for objective in (BinaryCrossEntropy(), SquaredError(), AbsoluteError()):
        torch.testing.assert_close(half.under(objective, output), full.under(objective, output))
        torch.testing.assert_close(objective.floors(a, b, half.lam), objective.floors(rows, rows, full.lam))


def test_rows_of_float64_are_mixed_in_float64():
    a, b = torch.rand(2, 5, 3, dtype=torch.float64).softmax(-1)
    target, logits = MixedTarget(a, b, torch.full((5,), 0.25)), torch.randn(5, 3, dtype=torch.float64)
    expected = F.cross_entropy(logits, 0.25 * a + 0.75 * b)
    torch.testing.assert_close(target.cross_entropy(logits), expected, atol=0, rtol=1e-14)
    torch.testing.assert_close(target.rows_like(logits), 0.25 * a + 0.75 * b, atol=0, rtol=1e-15)


def test_a_batch_that_is_handed_through_stays_so_when_it_moves_is_cut_or_saved():
    y = torch.tensor([0, 1, 1, 2])
    _, target = Mixup().unmixed(torch.zeros(4, 3), y)
    for same in (target.to("meta"), target[:2], pickle.loads(pickle.dumps(target))):
        assert same.a is same.b
    mixed = MixedTarget(y, y.clone(), torch.ones(4)).to("meta")
    assert mixed.a is not mixed.b


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [IGNORE_INDEX, 1])
def test_where_nothing_counts_an_unmixed_loss_and_its_gradient_are_zero(label, smoothing):
    logits, y = torch.randn(3, 4, requires_grad=True), torch.full((3,), label)
    weight = torch.tensor([1.0, 0.0, 1.0, 1.0])
    loss = Mixup().unmixed(logits, y)[1].cross_entropy(logits, weight, label_smoothing=smoothing)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.zeros(()), r"^logits have shape \(\): give \(B, C\)"),
        (torch.zeros(2), r"^logits have shape \(2,\)"),
        (torch.zeros(2, 3, dtype=torch.int64), r"^logits have dtype torch.int64: give floats, logits\.float\(\)"),
        (torch.zeros(2, 3).to(torch.float8_e5m2), r"^logits have dtype torch.float8_e5m2"),
        ([[0.0, 1.0]], r"^logits: found list"),
    ],
)
def test_what_are_no_logits_is_refused(logits, message, unchecked_shapes):
    target, _ = random_target(0, 2, 3)
    for call in (target.cross_entropy, target.accuracy):
        with pytest.raises(DataError, match=message):
            call(logits)


@pytest.mark.parametrize("weight", [None, torch.ones(3)])
@pytest.mark.parametrize("wrong", [3, -1])
def test_classes_that_the_logits_have_not_are_refused_on_the_cpu(wrong, weight):
    logits, y = torch.zeros(2, 3), torch.tensor([0, wrong])
    for a, b in ((y, y), (torch.zeros_like(y), y), (y, torch.zeros_like(y))):
        with pytest.raises(DataError, match=f"y holds the class index {wrong}, but the logits have 3 classes"):
            MixedTarget(a, b, torch.ones(2)).cross_entropy(logits, weight)


def test_a_cross_entropy_of_several_labels_at_once_is_refused_and_floats_are_shares():
    several = torch.tensor([[1, 0, 0], [0, 1, 1]])
    for kind in (several, several.bool()):
        for other in (kind, kind.clone()):  # handed through, or mixed
            target = MixedTarget(kind, other, torch.full((2,), 0.5))
            with pytest.raises(DataError, match=r"^cross_entropy: row 1 of y marks 2 classes, not one: .*BCEWith"):
                target.cross_entropy(torch.randn(2, 3))
            assert torch.isfinite(torch.nn.BCEWithLogitsLoss()(torch.randn(2, 3), target))
            with pytest.raises(DataError, match=r"^cross_entropy: row 1 of y marks 2 classes, not one: "):
                target.loss(torch.nn.CrossEntropyLoss(reduction="none"), torch.randn(2, 3))
    logits, shares = torch.randn(2, 3), several.float()
    target = MixedTarget(shares, shares.clone(), torch.ones(2))
    torch.testing.assert_close(target.cross_entropy(logits), F.cross_entropy(logits, shares))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0, 0], r"marks no class: .* with ignore_index .* or y\.float\(\)"),
        ([30, 70, 0], r"holds 30: .* shares as floats, y / y\.sum\(1, keepdim=True\)"),
        ([2, -1, 0], "holds 2: give ones and zeros"),
    ],
)
def test_a_map_of_rows_names_the_position_that_marks_no_class(row, message):
    y = F.one_hot(torch.zeros(2, 4, dtype=torch.int64), 3).mT.contiguous()
    y[1, :, 2] = torch.tensor(row)
    with pytest.raises(DataError, match=rf"^cross_entropy: row 1 of y at position \(2,\) {message}"):
        MixedTarget(y, y.clone(), torch.ones(2)).cross_entropy(torch.randn(2, 3, 4))


def test_classes_of_one_byte_are_never_the_ignored_label():
    y = torch.tensor([156, 3, 156, 2], dtype=torch.uint8)  # what -100 would be there
    for other in (y, y.flip(0)):
        with pytest.raises(DataError, match="y holds the class index 156, but the logits have 4 classes"):
            MixedTarget(y, other, torch.full((4,), 0.5)).cross_entropy(torch.zeros(4, 4))


def test_rows_have_no_class_to_weigh_or_to_ignore():
    rows = torch.eye(3)
    target = MixedTarget(rows, rows.flip(0), torch.full((3,), 0.5))
    with pytest.raises(ConfigError, match=r"^weight = \(3,\): leave it out"):
        target.accuracy(torch.randn(3, 3), torch.tensor([5.0, 1.0, 1.0]))
    for call in (
        partial(target.accuracy, torch.randn(3, 3)),
        target.entropy,
        partial(target.entropy, "binary_cross_entropy"),
    ):
        with pytest.raises(ConfigError, match=r"^ignore_index = 1: leave it out: rows hold no class index"):
            call(ignore_index=1)
