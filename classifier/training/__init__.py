"""What the shipped model is taught on, and how."""
