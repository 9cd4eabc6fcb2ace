"""The lifter's lessons: synthetic sightings of recorded motion, its recipe and its score."""
