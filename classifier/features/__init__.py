"""From text to numbers: hashed n-grams, their scores, and what they stand for."""
