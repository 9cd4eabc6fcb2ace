"""The networks of perception on real clips that nothing was trained on: detector, pose, cost, pictures."""
