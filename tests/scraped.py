"""What a page for Prometheus says, as tests ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scraped:
    """One page, read as Prometheus does."""

    families: tuple[Metric, ...]

    @classmethod
    def of(cls, text: str) -> Scraped:
        return cls(tuple(text_string_to_metric_families(text)))

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of *name* with these labels and no others; None when it is not told."""
        for family in self.families:
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of each sample of *name*."""
        samples = (sample for family in self.families for sample in family.samples)
        return [sample.labels for sample in samples if sample.name == name]
