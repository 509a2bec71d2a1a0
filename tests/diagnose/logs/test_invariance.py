"""What says nothing about the training changes no verdict: scale, unit, order, another seed, a header again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overmix._typing import Float
from overmix.diagnose.logs import read_curves

EPOCHS = np.arange(1, 61)
Errors = Float[np.ndarray, " epochs"]
Columns = dict[str, Errors]
Change = Callable[[np.random.Generator, Errors, Errors], Sequence[str]]


def errors(shape: str, seed: int) -> Errors:
    """A curve with a clear U, or without any; what may be either is another test's."""
    rise = 0.12 if shape == "u-shaped" else 0.0
    noise = np.random.default_rng(seed).normal(0, 0.002, len(EPOCHS))
    return 0.15 + 0.4 * np.exp(-EPOCHS / 6) + rise * np.clip(EPOCHS / 60 - 0.3, 0, None) + noise


def csv(columns: Columns, rows: Sequence[int] = range(len(EPOCHS)), repeated: int | None = None) -> str:
    header = ",".join(columns)
    lines = [",".join(repr(float(values[row])) for values in columns.values()) for row in rows]
    if repeated is not None:
        lines.insert(repeated, header)
    return "\n".join([header, *lines]) + "\n"


def scaled(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    return [csv({"epoch": EPOCHS, "val_mse": 10 ** rng.uniform(-8, 8) * curve})]


def in_percent(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    return [csv({"epoch": EPOCHS, "val_error": 100 * curve})]


def turned_around(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    return [csv({"epoch": EPOCHS, "val_accuracy": 1 - curve})]


def rows_in_another_order(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    return [csv({"epoch": EPOCHS, "val_error": curve}, rng.permutation(len(EPOCHS)).tolist())]


def columns_in_another_order(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    columns = [("epoch", EPOCHS), ("val_error", curve), ("val_loss", 2 * curve[::-1]), ("train_error", curve[::-1])]
    return [csv(dict(columns[i] for i in rng.permutation(len(columns))))]


def a_header_again(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    return [csv({"epoch": EPOCHS, "val_error": curve}, repeated=int(rng.integers(1, len(EPOCHS))))]


def a_second_seed(rng: np.random.Generator, curve: Errors, other: Errors) -> Sequence[str]:
    both = [csv({"epoch": EPOCHS, "val_error": values}) for values in (curve, other)]
    return [both[i] for i in rng.permutation(2)]


@pytest.mark.parametrize(
    "change",
    [
        scaled,
        in_percent,
        turned_around,
        rows_in_another_order,
        columns_in_another_order,
        a_header_again,
        a_second_seed,
    ],
)
@settings(max_examples=10)
@given(shape=st.sampled_from(["u-shaped", "monotone"]), seed=st.integers(0, 10_000))
def test_the_verdict_stays(change: Change, shape: str, seed: int) -> None:
    curve, other = errors(shape, seed), errors(shape, seed + 20_000)
    with TemporaryDirectory() as folder:
        paths = []
        for number, content in enumerate(change(np.random.default_rng(seed), curve, other)):
            paths.append(Path(folder) / f"{number}.csv")
            paths[-1].write_text(content)
        diagnosis = read_curves(paths).diagnose()
    assert (diagnosis.verdict, diagnosis.n_seeds) == (shape, len(paths))


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), power=st.integers(-40, 40))
def test_the_statistic_itself_scales(seed: int, power: int) -> None:
    """In powers of two nothing is rounded: every number of the diagnosis scales, whatever the curve."""
    curve = np.random.default_rng(seed).normal(1, 0.1, len(EPOCHS)).cumsum() / len(EPOCHS)
    with TemporaryDirectory() as folder:
        path, said = Path(folder) / "a.csv", []
        for scale in (1.0, 2.0**power):
            path.write_text(csv({"epoch": EPOCHS, "val_mse": scale * curve}))
            said.append(read_curves([path]).diagnose())
    one, scaled_by = said
    assert (one.verdict, one.p_value, one.turning_epoch_ci) == (
        scaled_by.verdict,
        scaled_by.p_value,
        scaled_by.turning_epoch_ci,
    )
    assert scaled_by.depth == pytest.approx(2.0**power * one.depth, rel=1e-9)
