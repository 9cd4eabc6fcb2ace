"""Makes the shipped body: `python -m crowdstream.lab.body -o body.npz`."""
