"""What writes this repository's documentation from its results; not part of the package, run in a checkout.

python -m tools                          # every part that is written by a command, from the files in results/
python -m tools census explain           # some of them
python -m tools --check                  # say what is not as it would be written
python -m tools census --pictures        # its pictures too; fonts and versions of a machine show in their bytes
python -m tools demo --keep overmix-demo # take a run's numbers into results/ first
"""
