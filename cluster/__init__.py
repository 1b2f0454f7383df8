"""The same sweep on other machines: Slurm, Kubernetes, TPU slices, a running Ray cluster."""
