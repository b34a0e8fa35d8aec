"""How networks are found, loaded strictly and run."""
