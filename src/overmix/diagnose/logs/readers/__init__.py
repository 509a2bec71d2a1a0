"""The readers of logs: one file each.

To read another tool's logs, write a file here that ends in a `Reader`, add it to `READERS`, and test it on a file that
the tool wrote.
"""

from overmix.diagnose.logs.readers.csv_file import CSV
from overmix.diagnose.logs.readers.history import HISTORY
from overmix.diagnose.logs.readers.hugging_face import HUGGING_FACE
from overmix.diagnose.logs.readers.json_lines import JSON_LINES
from overmix.diagnose.logs.readers.mlflow import MLFLOW
from overmix.diagnose.logs.readers.reader import Reader
from overmix.diagnose.logs.readers.tensorboard import TENSORBOARD

READERS: tuple[Reader, ...] = (MLFLOW, HUGGING_FACE, CSV, JSON_LINES, TENSORBOARD, HISTORY)
"""Of a run that several tools logged, the first of these that has the metric is read."""

__all__ = ["CSV", "READERS", "Reader"]
