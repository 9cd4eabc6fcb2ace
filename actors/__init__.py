"""Who runs: thin shells that place a stage and feed it, and the command line."""
