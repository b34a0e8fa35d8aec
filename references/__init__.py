"""Reference images of the suites with their manifest: data, no code."""
