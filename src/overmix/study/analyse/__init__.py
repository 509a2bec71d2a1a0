"""From curves to what a study shows: intervals, choices, the summary."""
