"""When a frame was taken: capture times, their origin, and how cameras agree about them."""
