"""The detector that ships: one class, anchor-free, three strides; network, assignment, losses, recipe and metrics."""
