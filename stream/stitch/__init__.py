"""Broken tracklets joined after occlusions: who came back, by which evidence, and what is undone later."""
