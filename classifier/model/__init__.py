"""A fitted model as a file, and the one that is shipped."""
