"""Who plays the people of a demonstration."""
