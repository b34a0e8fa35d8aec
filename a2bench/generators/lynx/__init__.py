"""Lynx (arXiv 2509.15496): one person in a video, by two adapters on Wan's transformer."""
