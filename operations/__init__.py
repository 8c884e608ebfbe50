"""What can be run: model files, operation names, flags, and starting and supervising a process."""
