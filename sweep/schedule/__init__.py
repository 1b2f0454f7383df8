"""Scheduling: what runs next, where, and what is tried again. Computes no science."""
