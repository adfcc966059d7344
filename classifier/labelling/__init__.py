"""From a text to its labels, by a trained model or by rules."""
