"""How it is set: one frozen record a stage, and the presets that fill them."""
