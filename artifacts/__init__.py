"""What runs leave behind: run directories, trash, purge, source snapshots, captured output."""
