"""Faces in pictures: found, cut out upright, embedded. No video, no metric."""
