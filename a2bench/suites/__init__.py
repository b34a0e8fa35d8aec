"""What is asked: cases and references, read, checked, imported."""
