"""The judge of a run: its options, its account, and text that was written to sway it."""
