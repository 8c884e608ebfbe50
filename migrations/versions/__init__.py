"""One file per revision, oldest first; a file that has been released never changes again."""
