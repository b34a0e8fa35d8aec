"""What metrics share: networks and classical methods that run once a video."""
