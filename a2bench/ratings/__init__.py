"""What people said, as figures, and the weights that follow from it."""
