"""Which networks there are, where they lie, and how they are fetched."""
