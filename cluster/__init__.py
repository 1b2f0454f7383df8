"""The same sweep on other machines: Slurm, Kubernetes, a running Ray cluster."""

from .submit import TARGETS, example, submit

__all__ = ["TARGETS", "example", "submit"]
