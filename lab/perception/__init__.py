"""Person detection and 2D pose learned from rendered people alone: sprites, scenes, lessons, networks, export."""
