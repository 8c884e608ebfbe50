"""The full-screen table of `guild compare`."""
