"""Whether everything collected is accounted for: the ledger, and its reconciliation as metrics."""
