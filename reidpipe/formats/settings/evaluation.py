"""How a gallery is ranked, and how sure the metrics are."""

from typing import Annotated, Any

from pydantic import Field

from reidpipe.runtime.settings import Keywords, Machine, Metric, PositiveInt


class _Ranking(Machine):
    rerank: Annotated[dict[str, Any], Keywords("metrics/rerank.py", "Reranked")] | None = None
    bootstrap: Annotated[dict[str, Any], Keywords("metrics/bootstrap.py", "interval")] = Field(
        default_factory=dict
    )
    top_k: PositiveInt = 50
    """Length of the ranked lists that are kept per query."""
    block_mb: PositiveInt = 256


class EvaluateParams(_Ranking):
    """What the evaluate stage is told."""

    metric: Metric = "cosine"


class EvaluateSection(_Ranking):
    """What params.yaml says."""

    metric: Metric | None = None
    """The system's own, where nothing is said."""

    def of(self, own: Metric) -> EvaluateParams:
        """For a system whose metric is `own`."""
        return EvaluateParams.model_validate(self.model_dump() | {"metric": self.metric or own})
