"""A brand's routing policy: its file, its conditions, and what they decide. Pure."""
