"""Generators that come with a2bench."""
