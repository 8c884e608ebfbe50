"""The pages of `guild view`, served on loopback."""
