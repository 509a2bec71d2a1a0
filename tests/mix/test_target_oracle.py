"""MixedTarget against a dense oracle in NumPy: every kind of label, weight, smoothing, ignored label, dtype, layout.

The oracle builds the mixed label of each position as a row q over classes and takes

    loss[i, p]  = -sum_c w[c] ((1 - s) q[c] + s m / C) log softmax(z)[c],   m = sum_c q[c]
    count[i, p] = sum_c w[c] q[c] for class indices (an ignored side adds nothing to q), 1 for rows
    mean        = sum_ip u_i loss[i, p] / sum_ip u_i count[i, p],   0 if nothing counts
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_softmax

from overmix.errors import ConfigError, DataError
from overmix.mix import MixedTarget

PLACES = [(), (3,), (2, 4)]
KINDS = ["indices", "soft rows", "one-hot int", "one-hot bool"]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@st.composite
def problems(draw):
    """A batch, and what is asked of its loss."""
    g = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batch, classes, place = draw(st.integers(1, 6)), draw(st.integers(2, 5)), draw(st.sampled_from(PLACES))
    kind, dtype = draw(st.sampled_from(KINDS)), draw(st.sampled_from(DTYPES))
    logits = torch.from_numpy(3 * g.normal(size=(batch, classes, *place))).to(dtype)
    if draw(st.booleans()):  # another memory layout
        logits = logits.movedim(1, -1).contiguous().movedim(-1, 1)
    sides = [g.integers(classes, size=(batch, *place)) for _ in range(2)]
    given_ignore = draw(st.sampled_from([None, -100, 255, 1])) if kind == "indices" else None
    if given_ignore is not None:
        sides = [np.where(g.random(side.shape) < 0.4, given_ignore, side) for side in sides]
    lam = g.choice([0.0, 1.0, g.random(), g.random()], size=batch).astype(np.float32)
    asked = {}
    if draw(st.booleans()):
        asked["weight"] = torch.from_numpy(g.choice([0.0, 0.5, 1.0, 2.0], size=classes)).float()
    if draw(st.booleans()):
        asked["label_smoothing"] = 0.2
    if given_ignore is not None:
        asked["ignore_index"] = given_ignore
    sample_weight = draw(st.sampled_from(["none", "of mixtures", "of sides"]))
    return kind, sides, lam, logits, asked, sample_weight, g


def labels_of(kind, sides, classes, g, ignored=None):
    """Return both sides as labels, and as dense rows, shape (B, C, ...)."""
    rows = [np.moveaxis(np.arange(classes) == side[..., None], -1, 1).astype(np.float64) for side in sides]
    if kind == "indices":
        rows = [row * (side != ignored)[:, None] for row, side in zip(rows, sides, strict=True)]
        return [torch.from_numpy(side) for side in sides], rows
    if kind == "soft rows":
        rows = [
            0.9 * row
            + 0.1 * g.dirichlet(np.ones(classes), size=row.shape[:1]).reshape(len(row), classes, *[1] * (row.ndim - 2))
            for row in rows
        ]
    dtype = {"soft rows": torch.float32, "one-hot int": torch.int64, "one-hot bool": torch.bool}[kind]
    tensors = [torch.from_numpy(row).to(dtype) for row in rows]
    return tensors, [tensor.double().numpy() for tensor in tensors]


def expand(value, place):
    return np.asarray(value, dtype=np.float64).reshape(-1, *[1] * len(place))


def oracle(kind, rows, lam, logits, weight, smoothing, shares):
    """Return loss and count of every position; ``shares`` are what each side of a sample counts."""
    classes, place = logits.shape[1], logits.shape[2:]
    own, other = (expand(s, place) for s in (lam * shares[0], (1 - lam) * shares[1]))
    q = own[:, None] * rows[0] + other[:, None] * rows[1]
    w = np.ones(classes) if weight is None else weight.double().numpy()
    w = w.reshape(-1, *[1] * len(place))
    mass = q.sum(1, keepdims=True)
    log_p = log_softmax(logits, axis=1)
    losses = -(w * ((1 - smoothing) * q + smoothing * mass / classes) * log_p).sum(1)
    counts = (w * q).sum(1) if kind == "indices" else np.broadcast_to(own + other, losses.shape)
    return losses, counts


def weights_of(how, batch, g):
    """Return weights of samples as they are given, and as what each side counts."""
    if how == "none":
        return None, [np.ones(batch)] * 2
    sides = [torch.from_numpy(g.choice([0.0, 0.5, 2.0], size=batch)).float() for _ in range(2)]
    if how == "of mixtures":
        return sides[0], [sides[0].double().numpy()] * 2
    return MixedTarget(*sides, torch.ones(batch)), [side.double().numpy() for side in sides]


@settings(max_examples=300)
@given(problems(), st.booleans())
def test_cross_entropy_accuracy_and_torchs_own_loss_are_the_oracles(problem, autocast):
    kind, sides, lam, logits, asked, how, g = problem
    (a, b), rows = labels_of(kind, sides, logits.shape[1], g, asked.get("ignore_index"))
    target = MixedTarget(a, b, torch.from_numpy(lam))
    sample_weight, shares = weights_of(how, len(lam), g)
    losses, counts = oracle(
        *(kind, rows, lam.astype(np.float64), logits.double().numpy()),
        *(asked.get("weight"), asked.get("label_smoothing", 0.0), shares),
    )
    total = counts.sum()
    expected = losses.sum() / total if total else 0.0
    half = logits.dtype in (torch.float16, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        mean = target.cross_entropy(logits, **asked, sample_weight=sample_weight)
        of_torch = F.cross_entropy(logits, target, **asked)
        apart = F.cross_entropy(logits, target, **asked, reduction="none")
    assert mean.dtype == of_torch.dtype == (torch.float32 if half and autocast else logits.dtype)
    # lam and the rows are float32; without autocast half precision rounds the result.
    rtol = torch.finfo(mean.dtype).eps if half and not autocast else 2e-6
    assert float(mean) == pytest.approx(expected, rel=rtol, abs=1e-6)

    plain, plain_counts = oracle(
        *(kind, rows, lam.astype(np.float64), logits.double().numpy()),
        *(asked.get("weight"), asked.get("label_smoothing", 0.0), [np.ones(len(lam))] * 2),
    )
    np.testing.assert_allclose(apart.double().numpy(), plain, rtol=2 * rtol, atol=1e-5)
    assert float(of_torch) == pytest.approx(
        plain.sum() / plain_counts.sum() if plain_counts.sum() else 0.0, rel=rtol, abs=1e-6
    )

    only = {key: value for key, value in asked.items() if key != "label_smoothing" and kind == "indices"}
    prediction = logits.double().numpy().argmax(1)
    hit = [np.take_along_axis(row, prediction[:, None], 1)[:, 0] == np.maximum(row.max(1), 1e-9) for row in rows]
    w = only.get("weight")
    counted = [
        np.ones(h.shape)
        if kind != "indices"
        else row.sum(1)
        if w is None
        else (w.double().numpy().reshape(-1, *[1] * (h.ndim - 1)) * row).sum(1)
        for h, row in zip(hit, rows, strict=True)
    ]
    share = [expand(s, logits.shape[2:]) for s in (lam * shares[0], (1 - lam) * shares[1])]
    mass = sum((s * c).sum() for s, c in zip(share, counted, strict=True))
    right = sum((s * c * h).sum() for s, c, h in zip(share, counted, hit, strict=True))
    accuracy = target.accuracy(logits, **only, sample_weight=sample_weight)
    assert float(accuracy) == pytest.approx(right / mass if mass else 0.0, rel=1e-5, abs=1e-6)


@settings(max_examples=100)
@given(problems())
def test_loss_divides_by_what_counts_as_cross_entropy_does(problem):
    kind, sides, lam, logits, asked, how, g = problem
    (a, b), _ = labels_of(kind, sides, logits.shape[1], g, asked.get("ignore_index"))
    target, logits = MixedTarget(a, b, torch.from_numpy(lam)), logits.float()
    sample_weight, _ = weights_of(how, len(lam), g)
    expected = target.cross_entropy(logits, **asked, sample_weight=sample_weight)
    criterion = torch.nn.CrossEntropyLoss(**asked, reduction="none")
    torch.testing.assert_close(target.loss(criterion, logits, sample_weight=sample_weight), expected)
    if kind == "indices":
        # Of a function nobody can read what it ignores.
        said = {key: value for key, value in asked.items() if key != "label_smoothing"}
        found = target.loss(lambda z, y: criterion(z, y), logits, **said, sample_weight=sample_weight)
        torch.testing.assert_close(found, expected if said else found)
        if "label_smoothing" not in asked:
            log_p = logits.log_softmax(1)
            for reduction in ("mean", "sum", "none"):
                torch.testing.assert_close(
                    F.nll_loss(log_p, target, **asked, reduction=reduction),
                    F.cross_entropy(logits, target, **asked, reduction=reduction),
                )


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (4,), (3, 2)]), st.sampled_from(DTYPES), st.booleans())
def test_multi_label_rows_of_any_dtype_have_the_dense_binary_cross_entropy(seed, place, dtype, autocast):
    g = np.random.default_rng(seed)
    labels = g.integers(2, size=(2, 5, *place))
    output, lam = torch.from_numpy(2 * g.normal(size=labels.shape[1:])).to(dtype), g.random(5).astype(np.float32)
    z, q = output.double().numpy(), expand(lam, place) * labels[0] + expand(1 - lam, place) * labels[1]
    pos = 2.0 if place else 1.0
    losses = -(pos * q * np.log(expit(z)) + (1 - q) * np.log(expit(-z)))
    criterion = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos).to(dtype), reduction="none")
    for kind in (torch.int64, torch.int32, torch.uint8, torch.bool, torch.float32):
        target = MixedTarget(*torch.from_numpy(labels).to(kind), torch.from_numpy(lam))
        if place and kind != torch.float32:
            np.testing.assert_allclose(target.soft().numpy(), q, atol=1e-6)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            found = target.loss(criterion, output)
            of_torch = F.binary_cross_entropy_with_logits(
                output.float(), target, pos_weight=torch.tensor(pos), reduction="none"
            )
        half = dtype in (torch.float16, torch.bfloat16)
        assert found.dtype == (torch.float32 if half and autocast else dtype)
        assert float(found) == pytest.approx(losses.mean(), rel=4 * torch.finfo(found.dtype).eps + 1e-6)
        np.testing.assert_allclose(of_torch.numpy(), losses, rtol=1e-5, atol=1e-6)


def lowest_by_descent(loss, shape):
    """Return the lowest loss that free logits reach, and that no random ones are below."""
    logits = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=300, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    optimizer.step(closure)
    lowest = float(loss(logits.detach()))
    assert all(float(loss(3 * torch.randn(shape, dtype=torch.float64))) > lowest for _ in range(20))
    return lowest


def cross_entropy(target, logits):
    return target.cross_entropy(logits)


def bce(target, logits):
    return target.loss(torch.nn.BCEWithLogitsLoss(reduction="none"), logits)


FLOORS = {
    "classes": (lambda g: torch.randint(3, (2, 40), generator=g), (40, 3), cross_entropy, "cross_entropy"),
    "class maps": (
        lambda g: torch.randint(3, (2, 10, 4, 2), generator=g),
        (10, 3, 4, 2),
        cross_entropy,
        "cross_entropy",
    ),
    "soft rows": (
        lambda g: torch.rand(2, 40, 3, generator=g).double().softmax(-1),
        *((40, 3), cross_entropy, "cross_entropy"),
    ),
    "multi-label int": (lambda g: torch.randint(2, (2, 40, 5), generator=g), (40, 5), bce, "binary_cross_entropy"),
    "multi-label bool": (
        lambda g: torch.randint(2, (2, 20, 3, 2), generator=g).bool(),
        *((20, 3, 2), bce, "binary_cross_entropy"),
    ),
    "one number each": (lambda g: torch.randint(2, (2, 40), generator=g), (40,), bce, "binary_cross_entropy"),
}


@pytest.mark.parametrize("kind", FLOORS)
def test_the_mean_entropy_is_the_lowest_loss_that_any_prediction_reaches(kind):
    sides, shape, loss, name = FLOORS[kind]
    g = torch.Generator().manual_seed(1)
    target = MixedTarget(*sides(g), 0.02 + 0.96 * torch.rand(shape[0], generator=g))
    floor = target.entropy(name)
    assert floor.shape == shape[:1]
    assert float(floor.mean()) == pytest.approx(lowest_by_descent(lambda z: loss(target, z), shape), abs=2e-4)


def test_a_side_that_is_ignored_leaves_no_entropy():
    a, b = torch.tensor([[0, 1, -100], [2, 2, 2]]), torch.tensor([[1, -100, -100], [-100, 2, 0]])
    target = MixedTarget(a, b, torch.tensor([0.25, 0.5]))
    # Counts: 1, 0.25, 0 and 0.5, 1, 1; entropies where both sides count and differ.
    quarter, half = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), np.log(2)
    torch.testing.assert_close(target.entropy(), torch.tensor([quarter / 1.25, half / 2.5], dtype=torch.float32))


@pytest.mark.parametrize(
    ("label", "loss", "message"),
    [
        (torch.rand(4), "cross_entropy", "y has shape .*a regression has no floor"),
        (torch.randn(4, 3), "cross_entropy", "rows must be >= 0 and sum to 1.*a regression has no floor"),
        (torch.ones(4, 3).bool(), "cross_entropy", r"for multi-label rows use entropy\('binary_cross_entropy'\)"),
        (torch.full((4,), 1.5), "binary_cross_entropy", r"labels must lie in \[0, 1\]: a regression has no floor"),
        (torch.arange(4), "binary_cross_entropy", r"labels must lie in \[0, 1\]"),
        (torch.arange(4), "mse", r"^loss = 'mse': use 'cross_entropy' or 'binary_cross_entropy'"),
    ],
)
def test_what_has_no_floor_is_refused(label, loss, message):
    with pytest.raises((DataError, ConfigError), match=message):
        MixedTarget(label, label, torch.ones(4)).entropy(loss)
