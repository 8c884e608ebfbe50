"""The `guild` command line: one file per command, thin; the only package that prints, prompts or exits."""
