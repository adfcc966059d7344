"""What a brand's own labels change."""
