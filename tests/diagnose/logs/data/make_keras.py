"""Write the histories beside this file with Keras: a run, the same validated at every second epoch, one that diverges.

pip install keras==3.15.1 && KERAS_BACKEND=torch python make_keras.py
"""

import json
import shutil
from pathlib import Path

import keras
import numpy as np


class Explode(keras.callbacks.Callback):
    """From the fourth epoch on the weights are not finite, as in a run that diverged."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Spoil the weights."""
        if epoch == 3:
            self.model.set_weights([np.full_like(w, np.nan) for w in self.model.get_weights()])


def fit(**settings: object) -> dict[str, list[float]]:
    """Train a linear classifier, and return its history as Keras hands it out."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((96, 4)).astype("float32")
    y = (x[:, 0] + 0.8 * rng.standard_normal(96) > 0).astype("int32")
    model = keras.Sequential([keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss, metrics=["accuracy"])
    history = model.fit(x[:48], y[:48], batch_size=8, epochs=6, validation_data=(x[48:], y[48:]), verbose=0, **settings)
    return history.history


if __name__ == "__main__":
    target = Path(__file__).parent / "keras"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    runs = {
        "history": {"callbacks": [keras.callbacks.ReduceLROnPlateau(patience=1)]},  # logs the learning rate
        "history-every-second": {"validation_freq": 2},
        "history-diverged": {"callbacks": [Explode()]},
    }
    for name, settings in runs.items():
        (target / f"{name}.json").write_text(json.dumps(fit(**settings)), encoding="utf-8")
    # And the other way to save one: a CSV file, written while it trains.
    fit(callbacks=[keras.callbacks.CSVLogger(str(target / "training.csv"))], validation_freq=2)
