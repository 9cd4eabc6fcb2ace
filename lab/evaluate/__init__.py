"""Scoring the engine against truth, one honest way."""
