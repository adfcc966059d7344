"""Items: their life, who holds them, and the numbers that are kept about them."""
