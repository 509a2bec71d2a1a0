"""scikit-learn: two lines change, marked here. A table with categories and missing values, in a pipeline."""

import argparse

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from overmix.integrations.sklearn import MixupClassifier  # overmix, was: from sklearn import neural_network


def table() -> tuple[pd.DataFrame, pd.Series]:
    """Return the tumours of Wisconsin, one column as categories, one value in ten missing."""
    data = load_breast_cancer(as_frame=True)
    x = data.data.mask(np.random.default_rng(0).random(data.data.shape) < 0.1)
    x["size"] = pd.cut(data.data["mean area"], 4, labels=["small", "medium", "large", "huge"])
    return x.drop(columns="mean area"), data.target.map({0: "malignant", 1: "benign"})


def main(epochs: int) -> float:
    """Train on three quarters of the table, and return the accuracy on the rest."""
    x, y = table()
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)
    prepare = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        sparse_threshold=0,
    )
    net = MixupClassifier((64,), epochs=epochs)  # overmix, was: net = neural_network.MLPClassifier((64,))
    model = make_pipeline(prepare, net).fit(x_train, y_train)
    print(net.decision_)  # overmix, to see
    return model.score(x_test, y_test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="train for a moment only")
    print(f"accuracy {main(10 if parser.parse_args().smoke else 100):.3f}")
