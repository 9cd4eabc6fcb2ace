"""The learned priors against recordings they have not seen, plain baselines beside every number."""
