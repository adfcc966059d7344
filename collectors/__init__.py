"""The edge: posts in, replies out. Only this package talks to platforms."""
