"""Which backend runs a network: the ladder, the probe, and the cache of built plans."""
