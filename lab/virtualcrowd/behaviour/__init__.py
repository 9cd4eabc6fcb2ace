"""Who goes where and when: from a scene and settings to the paths of a crowd."""
