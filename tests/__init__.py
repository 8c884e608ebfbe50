"""Makes `tests` a package, so that its helpers have one name and no other `tests` is taken for it."""
