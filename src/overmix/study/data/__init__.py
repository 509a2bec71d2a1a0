"""Data of a study: real sets that need no download, and the user's own arrays."""

from overmix.study.data.arrays import validate_arrays, validate_test_arrays
from overmix.study.data.dataset import Dataset
from overmix.study.data.hold_out import hold_out
from overmix.study.data.inputs import fit_inputs
from overmix.study.data.normalization import normalization_stats
from overmix.study.data.registry import dataset_names, dataset_options, load_dataset
from overmix.study.data.split import split_indices

__all__ = [
    "Dataset",
    "dataset_names",
    "dataset_options",
    "fit_inputs",
    "hold_out",
    "load_dataset",
    "normalization_stats",
    "split_indices",
    "validate_arrays",
    "validate_test_arrays",
]
