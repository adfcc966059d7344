"""One folder a platform, and the registry that names them."""
