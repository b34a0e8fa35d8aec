"""Judges: models that look at a video and grade it, behind one small protocol."""
