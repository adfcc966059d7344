"""Upkeep of routing policies: conditions in CEL rewritten as structured ones."""
