"""From a study to the trainings it needs: cells, stacks, data, and what they will cost."""
