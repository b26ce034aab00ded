"""What production answered, as the baseline of a run on calls of production."""

from dataclasses import dataclass

from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.plan import DatasetRef, TrafficPart, Variant
from promptuary.evaluation.summary_model import VariantRole

PRODUCTION = "production"
"""The name of the variant, and the label by which gates refer to it."""


@dataclass(frozen=True)
class RecordedBaseline:
    """Calls of production with their answers, stored as two datasets.

    Attributes:
        cases: one a call, or one for several with the same variables.
        outputs: by the case's id.
        traffic: of which calls they are.
    """

    cases: DatasetVersion
    outputs: DatasetVersion
    traffic: TrafficPart

    @property
    def outputs_reference(self) -> DatasetRef:
        """The outputs as a plan refers to them."""
        outputs = self.outputs
        return DatasetRef(outputs.id, outputs.name, outputs.number, outputs.digest, outputs.cases)

    def variant(self, prompt: str) -> Variant:
        """Return the variant: of a prompt, whichever versions answered, and of no model, so that any is compared with it."""
        return Variant(
            name=PRODUCTION,
            role=VariantRole.BASELINE,
            model="",
            prompt=prompt,
            version=None,
            digest=self.outputs.digest,
            references=(PRODUCTION,),
            target=PRODUCTION,
        )
