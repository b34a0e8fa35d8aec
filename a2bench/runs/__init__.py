"""One run: what is asked for, what is missing, who does it, and where it is kept."""
