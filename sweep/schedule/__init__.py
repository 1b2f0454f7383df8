"""What runs next, where, and again. Computes no science."""
