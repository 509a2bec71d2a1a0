"""Write the log beside this file with the CSVLogger that Lightning's own is built on: NaN rows and empty cells.

pip install lightning-fabric==2.6.6 && python make_lightning.py
"""

import shutil
from pathlib import Path

from lightning_fabric.loggers import CSVLogger

ACCURACIES = (0.1, 0.5, 0.7, 0.75, 0.7)

if __name__ == "__main__":
    here = Path(__file__).parent
    shutil.rmtree(here / "lightning", ignore_errors=True)
    logger = CSVLogger(str(here), name="lightning", version=0)
    for epoch, accuracy in enumerate(ACCURACIES):
        last = 10 * epoch + 9
        logger.log_metrics({"epoch": epoch, "train_loss": float("nan") if epoch == 2 else 1 / (epoch + 1)}, step=last)
        logger.log_metrics({"epoch": epoch, "val_acc": accuracy}, step=last)
    logger.save()
