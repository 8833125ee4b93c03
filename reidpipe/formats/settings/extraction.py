"""How query and gallery images are embedded."""

from reidpipe.runtime.settings import Cluster, PositiveInt


class ExtractParams(Cluster):
    batch_size: PositiveInt = 256
    flip: bool = False
    """Average the embeddings of an image and of its mirror image."""
