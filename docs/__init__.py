"""The pages about the program, and the scripts that keep them true."""
