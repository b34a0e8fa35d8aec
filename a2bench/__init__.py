"""a2bench: an open, local implementation of A2-Bench for elements-to-video generators."""

__version__ = "0.1.0"
