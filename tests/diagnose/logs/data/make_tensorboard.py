"""Write the event files beside this file with TensorBoard's own writer: a run that crashed and was resumed.

pip install tensorboard==2.21.0 && python make_tensorboard.py
"""

import shutil
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

ERRORS = (0.9, 0.5, 0.3, 0.25, 0.3)


def scalar(tag: str, value: float) -> Summary.Value:
    """What `add_scalar` of PyTorch writes."""
    return Summary.Value(tag=tag, simple_value=value)


def tensor(tag: str, value: float) -> Summary.Value:
    """What TensorFlow 2 and JAX's writers write."""
    return Summary.Value(tag=tag, tensor=make_tensor_proto(value, dtype="float32"))


def write(folder: Path, steps: range, suffix: str, value: object, broken: bool = False) -> None:
    """Log the error and a loss at some steps."""
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    for step in steps:
        error = 0.99 if broken and step == steps[-1] else ERRORS[step - 1]
        entries = [value("Error/test", error), value("Loss/train", 1 / step)]
        writer.add_event(Event(wall_time=1.7e9 + step, step=100 * step, summary=Summary(value=entries)))
    writer.close()


if __name__ == "__main__":
    here = Path(__file__).parent
    for kind, value in (("simple", scalar), ("tensor", tensor)):
        folder = here / f"tensorboard-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, range(1, 4), ".before", value, broken=True)
        write(folder, range(3, 6), ".resumed", value)
        for number, suffix in enumerate(("before", "resumed"), start=1):
            (found,) = folder.glob(f"*.{suffix}")
            found.rename(folder / f"events.out.tfevents.{number}.{suffix}")  # no host in its name
