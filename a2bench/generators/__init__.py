"""Models that come with a2bench, and its controls."""
