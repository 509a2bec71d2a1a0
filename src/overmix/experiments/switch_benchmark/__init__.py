"""Which policy switches best: measured on many trainings, chosen on some data sets and reported on others."""
