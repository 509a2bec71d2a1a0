"""The frozen benchmark: trainings, rivals, endpoints and margins, written down before any of them was trained."""
