"""What Guild Ledger costs, as ratios to what the machine can do: run it with `python -m benchmarks`."""
