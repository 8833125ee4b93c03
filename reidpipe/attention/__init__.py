"""One paper per file; the file's name is the value of the parameter `attention`.

Each file declares `PLACE` (a key of `reidpipe.layers.placement.PLACES`) and a class
`Attention(channels, *, ...)` whose forward keeps the shape [B, C, H, W] and whose keyword arguments
are its options. Convolutions, linear maps and batch norms start by the rules of
`reidpipe.layers.initial`; a module that starts otherwise, or owns parameters outside of these, has
a method `start(generator)`.
"""

from reidpipe.errors import UserError


def reduced(channels: int, reduction: int) -> int:
    """Width of a bottleneck, `channels // reduction`.

    Raises:
        UserError: nothing would be left of the channels.
    """
    if reduction > channels:
        raise UserError(
            "the attention module is reduced to nothing",
            where="params.yaml: systems.ours.options",
            expected=f"reduction of at most {channels}, the channels of the narrowest feature map",
            found=reduction,
        )
    return channels // reduction
