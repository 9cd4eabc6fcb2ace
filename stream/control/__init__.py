"""What may be asked of a running engine, and by whom."""
