"""How a gallery is ranked, and how sure the metrics are."""

from typing import Annotated, Any

from pydantic import Field

from reidpipe.runtime.settings import Keywords, Machine, Metric, PositiveInt


class EvaluateParams(Machine):
    metric: Metric = "cosine"
    rerank: Annotated[dict[str, Any], Keywords("metrics/rerank.py", "Reranked")] | None = None
    bootstrap: Annotated[dict[str, Any], Keywords("metrics/bootstrap.py", "interval")] = Field(
        default_factory=dict
    )
    top_k: PositiveInt = 50
    """Length of the ranked lists that are kept per query."""
    block_mb: PositiveInt = 256
