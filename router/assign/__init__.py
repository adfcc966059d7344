"""Which item goes to whom. Pure."""
