"""What people look at for longer than a listing: a table on the whole terminal, and pages in a browser."""
