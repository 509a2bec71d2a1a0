"""Whether every sample of a gated dataset is what the epoch says, whatever makes it.

python -m tools.gate    (some minutes: spawned workers import PyTorch each time)
python -m tools gate
"""
