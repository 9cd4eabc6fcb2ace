"""The long proofs: minutes and hours of the engine as its users run it, with faults, measured from outside."""
