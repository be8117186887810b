"""From a run to numbers."""
