"""What a platform gives and gets: the seam between the shells and the platforms."""
