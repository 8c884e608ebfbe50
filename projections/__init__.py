"""What is known: folds of the ledger into the index (runs, scopes, numbering, placement) and its rebuilding."""
