"""From one YAML grid to a folder of results: trials, packs, Ray tasks, Parquet tables.

A *study* (the YAML) expands into *trials* (one model to train each). Trials that share a compiled
program and a device travel as a *pack*. The scheduler hands packs to an executor (Ray, or this
process), workers train, encode and score, and the *results* folder keeps what is finished. That
folder is the only truth: running the same command again does exactly what is missing.
"""
