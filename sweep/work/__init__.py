"""What a task does, inside one process: train, encode, score. Starts no process, reads no grid."""
