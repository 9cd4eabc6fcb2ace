"""What teaches: the loop that fits the priors and the lifter, and a recipe for each of them."""
