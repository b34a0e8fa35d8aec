"""The metrics of a2bench, one module each; a2bench.metrics.profiles puts them together."""
