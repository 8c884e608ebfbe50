"""What happened: event types, the append-only log, its hash chain and its verification."""
