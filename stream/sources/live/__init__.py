"""Live cameras: opened in a process of their own, watched, and opened again when they fail."""
