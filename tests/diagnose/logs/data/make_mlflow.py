"""Write the MLflow run beside this file with MLflow's own file store: a step that was logged twice counts once.

pip install mlflow-skinny==3.17.2 && MLFLOW_ALLOW_FILE_STORE=true python make_mlflow.py
"""

import shutil
import tempfile
from pathlib import Path

import mlflow

ERRORS = (0.9, 0.5, 0.3, 0.25, 0.3)

if __name__ == "__main__":
    here, store = Path(__file__).parent, Path(tempfile.mkdtemp()) / "store"
    mlflow.set_tracking_uri(store.as_uri())
    with mlflow.start_run() as run:
        mlflow.log_param("alpha", 1.0)
        mlflow.log_metric("val/error", 0.99, step=3)  # logged again after a resume
        for step, error in enumerate(ERRORS, start=1):
            mlflow.log_metrics({"val/error": error, "loss": 1 / step}, step=step)
    found = store / run.info.experiment_id / run.info.run_id
    shutil.rmtree(here / "mlflow", ignore_errors=True)
    # Its metrics alone: the rest of a run tells of the machine.
    shutil.copytree(found / "metrics", here / "mlflow" / "metrics")
    shutil.rmtree(store.parent)
