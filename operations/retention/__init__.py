"""What may be kept for how long, and taking out what is past it."""
