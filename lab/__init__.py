"""What teaches and measures: body making, priors, benchmarks. Never imported by the engine."""
