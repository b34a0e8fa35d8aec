"""Flow, interpolation and differences between frames."""
