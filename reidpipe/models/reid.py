"""The whole network: backbone with attention, average pooling, BN neck, classifier.

BN neck: Bag of Tricks, Luo et al., https://arxiv.org/abs/1903.07071: the triplet loss sees the
pooled feature; the classifier and the test see it after a batch norm without shift.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.models.heads import classifier as head
from reidpipe.models.placement import place
from reidpipe.models.resnet import SLOTS, Backbone
from reidpipe.params import CircleParams


class Output(NamedTuple):
    """What the losses need of a batch."""

    feature: Tensor
    """[B, D], pooled, before the BN neck."""
    embedding: Tensor
    """[B, D], after the BN neck."""
    scores: Tensor
    """[B, C], the classifier's answer, without margins."""
    logits: Tensor
    """[B, C], for softmax cross-entropy."""


class ReID(nn.Module):
    """Images [B, 3, H, W] -> `Output` for training, embeddings [B, D] for retrieval."""

    def __init__(
        self,
        *,
        backbone: str,
        attention: str,
        attention_options: Mapping[str, Any],
        classifier: str,
        circle: CircleParams,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        place(self.backbone, attention, attention_options)
        self.neck = nn.BatchNorm1d(self.backbone.channels)
        self.neck.bias.requires_grad = False
        self.head = head(classifier, self.backbone.channels, num_classes, circle)
        self._about = {
            "backbone": backbone,
            "attention": attention,
            "attention_options": dict(attention_options),
            "classifier": classifier,
            "circle": circle.model_dump(),
            "num_classes": num_classes,
        }

    def feature(self, images: Tensor) -> Tensor:
        """Globally averaged feature map, [B, D], not normalised; float32 also under autocast."""
        feature_map: Tensor = self.backbone(images)
        return feature_map.mean((2, 3), dtype=torch.promote_types(feature_map.dtype, torch.float32))

    def forward(self, images: Tensor, labels: Tensor) -> Output:
        """All that a training step needs; the margins of the circle head need the labels [B]."""
        feature = self.feature(images)
        embedding = self.neck(feature)
        return Output(feature, embedding, *self.head(embedding, labels))

    def embed(self, images: Tensor) -> Tensor:
        """BN neck output [B, D], not normalised; call `eval()` first."""
        embedding: Tensor = self.neck(self.feature(images))
        return embedding

    def about(self) -> dict[str, Any]:
        """JSON-able arguments from which `from_about` builds this network again."""
        return dict(self._about)

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self:
        """Build the network, without its weights; keys that are not arguments are left alone.

        Raises:
            UserError: an argument is missing.
        """
        names = ("backbone", "attention", "attention_options", "classifier", "num_classes")
        missing = [name for name in (*names, "circle") if name not in about]
        if missing:
            raise UserError(
                "a model file does not say how its network is built",
                expected=", ".join((*names, "circle")),
                found=f"nothing about {', '.join(missing)}",
                fix="dvc repro writes it again",
            )
        known = {name: about[name] for name in names}
        return cls(**known, circle=CircleParams.model_validate(about["circle"]))


def on_device(model: ReID, device: torch.device) -> ReID:
    """Move the network in place; channels last is the layout that convolutions are fastest in."""
    moved: ReID = nn.Module.to(model, device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def backbone_state(model: ReID) -> dict[str, Tensor]:
    """State of the plain backbone with torchvision's keys: no attention, neck or classifier."""
    state: dict[str, Tensor] = model.backbone.state_dict()
    return {key: tensor for key, tensor in state.items() if not set(SLOTS) & set(key.split("."))}


def load_backbone(model: ReID, tensors: Mapping[str, Tensor]) -> None:
    """Copy torchvision's ResNet weights (without fc) into the plain part of the backbone.

    Attention keeps its initial weights. Batch counters may be absent: torchvision's oldest files
    have none, and nothing reads them.

    Raises:
        UserError: keys are missing or unknown, or shapes differ; all of them are named.
    """
    expected = backbone_state(model)
    needed = {key for key in expected if not key.endswith("num_batches_tracked")}
    problems = [f"missing: {key}" for key in sorted(needed - set(tensors))]
    problems += [f"unknown: {key}" for key in sorted(set(tensors) - set(expected))]
    problems += [
        f"shape: {key} is {tuple(tensors[key].shape)}, not {tuple(expected[key].shape)}"
        for key in sorted(set(tensors) & set(expected))
        if tensors[key].shape != expected[key].shape
    ]
    if problems:
        raise UserError(
            "the backbone weights do not fit the network",
            expected=f"the keys and shapes of torchvision's {model.about()['backbone']} without fc",
            found="\n".join(problems),
            fix="set weights and train.backbone of the profile to the same ResNet",
        )
    model.backbone.load_state_dict(dict(tensors), strict=False)
