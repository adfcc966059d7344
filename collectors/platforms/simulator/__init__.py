"""The world behind the simulator: who says what and when, and what stands on its platform."""
