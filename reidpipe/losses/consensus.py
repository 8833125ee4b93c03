"""Person Re-Identification by Deep Learning Multi-Scale Representations, Chen et al., ICCVW 2017.

How far the answer of one scale is from the consensus of all (DPFL), with P~ the probabilities of
the fused scores, held constant, and P those of the scale's:

    H = -1/B sum_b sum_j [P~_j log P_j + (1 - P~_j) log(1 - P_j)]

Not verified: the form is from memory.
"""

import torch
from torch import Tensor


def consensus(scores: Tensor, fused: Tensor) -> Tensor:
    """H of scores [B, C] and fused scores [B, C], a scalar; no gradient goes into the latter."""
    wanted = fused.detach().softmax(1)
    return -(wanted * scores.log_softmax(1) + (1 - wanted) * log_of_others(scores)).sum(1).mean()


def log_of_others(scores: Tensor) -> Tensor:
    """log(1 - P_j) [B, C], finite for the class that has nearly all of the probability too."""
    log_p = scores.log_softmax(1)
    best = scores.argmax(1, keepdim=True)
    others = scores.scatter(1, best, -torch.inf).logsumexp(1, keepdim=True)
    # All but the largest are at most a half, where nothing cancels.
    small = torch.log1p(-log_p.scatter(1, best, -torch.inf).exp())
    return small.scatter(1, best, others - scores.logsumexp(1, keepdim=True))
