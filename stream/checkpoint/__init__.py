"""The state of a stage as bytes, and back: what a worker that follows a lost one goes on from."""
