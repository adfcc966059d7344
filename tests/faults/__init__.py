"""The whole system under faults: what was heard is neither lost nor doubled."""
