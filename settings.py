"""The settings of a training that every method shares: one record from the grid to the model."""

from typing import Annotated, Any, Literal, NamedTuple

from .catalogue import Bounds


class Settings(NamedTuple):
    """How a model is trained and evaluated; the defaults are the paper's.

    Attributes:
        steps: Updates of the parameters.
        batch_size: Images a step.
        learning_rate: Of the VAE's Adam.
        num_latents: Width of the code.
        evaluation_batches: Batches whose mean gives the final losses.
        precision: Of training; what follows is in float32. "tensorfloat32" is of an accelerator's
            products, "bfloat16" of what layers put out too. Parameters, sums and losses stay
            float32.
    """

    steps: Annotated[int, Bounds(ge=0)] = 300_000
    batch_size: Annotated[int, Bounds(ge=2)] = 64
    learning_rate: Annotated[float, Bounds(gt=0)] = 1e-4
    num_latents: Annotated[int, Bounds(ge=1)] = 10
    evaluation_batches: Annotated[int, Bounds(ge=1)] = 1000
    precision: Literal["float32", "tensorfloat32", "bfloat16"] = "float32"

    def identity(self) -> dict[str, Any]:
        """What names a trial: without `precision` at its default, which trials are older than."""
        fields = self._fields[:-1] if self.precision == "float32" else self._fields
        return {name: getattr(self, name) for name in fields}
