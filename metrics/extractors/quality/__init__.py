"""The quality of single frames."""
