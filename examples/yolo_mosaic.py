"""Ultralytics: on patience close the mosaic, cool down, and keep the better. Its public callbacks do all of it.

Not run by CI, nor a dependency: Ultralytics is AGPL-licensed, and needs detection data. Tried with Ultralytics 8.4.190,
on pictures of coloured boxes. Give it your own data:

    pip install ultralytics
    python examples/yolo_mosaic.py --data my.yaml

Its trainer closes the mosaic ``close_mosaic`` epochs before the end, and makes its loader anew there, whatever stands
in these two settings by then. So the callback writes them as soon as the score has not risen for ``patience`` epochs:
what was to be guessed before the training, ``epochs`` and ``close_mosaic``, follows from what is seen. The rate falls
to its end within the new length (without ``cos_lr``, which counts on the old one). ``weights/best.pt`` stays the
better one of before and after, by its own fitness.
"""

import argparse


class CloseOnPatience:
    """Closes the mosaic once the fitness has not risen for some epochs; a model that finds nothing yet is waited for.

    Args:
        patience: for how many.
        cool_down: epochs to train after it, without mosaic.
    """

    def __init__(self, patience: int = 10, cool_down: int = 10) -> None:
        self.patience, self.cool_down = patience, cool_down
        self.best, self.best_epoch, self.closed = 0.0, 0, False

    def __call__(self, trainer) -> None:
        """Look at an epoch's fitness; to be called on ``on_fit_epoch_end``."""
        if self.closed or trainer.fitness is None:
            return
        if trainer.fitness > self.best:
            self.best, self.best_epoch = float(trainer.fitness), trainer.epoch
        due = trainer.epoch - self.best_epoch >= self.patience
        if self.best and due and trainer.epoch + 1 + self.cool_down < trainer.epochs:
            trainer.epochs = trainer.epoch + 1 + self.cool_down
            trainer.args.close_mosaic = self.cool_down  # from the next epoch on
            self.closed = True
            print(f"mosaic off after {trainer.epoch + 1} epochs, {self.cool_down} more: best was {self.best:.4f}")


def main(args: argparse.Namespace) -> None:
    """Train a model of its own configuration, without weights."""
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml")
    model.add_callback("on_fit_epoch_end", CloseOnPatience(args.patience, args.cool_down))
    # Its own early stopping would end the training where ours closes the mosaic: 0 turns it off.
    model.train(data=args.data, epochs=args.epochs, patience=0, close_mosaic=args.cool_down, imgsz=args.imgsz)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a YAML file of a data set, as Ultralytics reads it")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--cool-down", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=640)
    main(parser.parse_args())
