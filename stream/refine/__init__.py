"""What happens to a segment after its windows: gaps filled, poor stretches guided by those who move alike."""
