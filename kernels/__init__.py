"""Tensors in, tensors out: no Ray, no sockets, no clock, no files, no logging."""
