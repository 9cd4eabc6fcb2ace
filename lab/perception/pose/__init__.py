"""The pose network that ships: where the keypoints of one person are, and how far to trust each of them."""
