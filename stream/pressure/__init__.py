"""What is left out when there is more work than time, and how the engine finds back."""
