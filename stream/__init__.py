"""What moves: frames, observations, tracks, windows, messages, and the stages that change them."""
