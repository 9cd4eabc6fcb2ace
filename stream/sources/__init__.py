"""Sources of frames: one interface over files and folders; live cameras, which come when they come."""
