"""What keeps the installation well: dead letters and the health of sources."""
