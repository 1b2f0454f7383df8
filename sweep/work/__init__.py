"""The work of a task in one process: train, encode, score. Starts no process, reads no grid."""
