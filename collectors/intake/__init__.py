"""What the collecting shell keeps: cursors, receipts, health, and whose turn it is."""
