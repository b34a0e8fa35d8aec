"""What models on Wan's transformer share."""
