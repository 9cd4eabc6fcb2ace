"""Human motion as the priors learn it: recordings, splits, contact labels, windows, augmentation."""
