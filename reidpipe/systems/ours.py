"""Person Re-Identification Based on Joint Loss and Multiple Attention Mechanism, Li & Wang, 2021.

ResNet with attention in its residual blocks, average pooling, a BN neck, a classifier.

    L = L_ce + L_tri   (5)

BN neck: Bag of Tricks, Luo et al., https://arxiv.org/abs/1903.07071: the triplet loss sees the
pooled feature; the classifier and the test see it after a batch norm without shift.

Table 1's rows are this network with other attention, classifier and losses. What the paper leaves
open is in docs/decisions.md.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.heads import Cosine, Linear
from reidpipe.layers.placement import place
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.losses.circle import circle_logits, unified_logits
from reidpipe.losses.triplet import batch_hard
from reidpipe.runtime.settings import (
    ATTENTION_OPTIONS,
    Backbone,
    BatchSize,
    Fraction,
    Keywords,
    Milestones,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Size,
    keywords,
)
from reidpipe.systems import System, check_described

Classifier = Literal["linear", "circle", "unified"]
MARGINS = {"circle": circle_logits, "unified": unified_logits}
ABOUT = ("backbone", "attention", "attention_options", "classifier", "circle", "num_classes")


class Network(System):
    """Images [B, 3, H, W] -> what the losses need; embeddings [B, D] for retrieval.

    Keyword arguments without a default are the run's (runs.yaml, params.yaml); those with one are
    options, set under `systems.ours` of a profile.
    """

    backbone: ResNet

    def __init__(
        self,
        num_classes: int,
        *,
        attention: str,
        classifier: Classifier,
        triplet: bool,
        backbone: Backbone = "resnet50",
        options: Annotated[dict[str, Any], ATTENTION_OPTIONS] = {},  # noqa: B006 - is not changed
        label_smoothing: Fraction = 0.1,
        batch_hard: Annotated[dict[str, Any], Keywords("losses/triplet.py", "batch_hard")] = {},  # noqa: B006
        circle: Annotated[dict[str, Any], Keywords("losses/circle.py", "circle_logits")] = {},  # noqa: B006
    ) -> None:
        super().__init__(num_classes)
        self.classifier, self.triplet, self.label_smoothing = classifier, triplet, label_smoothing
        self.batch_hard = batch_hard
        self.circle = {**(circle_logits.__kwdefaults__ or {}), **circle}
        self.backbone = ResNet(backbone)
        own = place(self.backbone, attention, options.get(attention, {}))
        self.width = self.backbone.channels
        self.neck = nn.BatchNorm1d(self.width)
        self.neck.bias.requires_grad = False
        self.head = (Linear if classifier == "linear" else Cosine)(self.width, num_classes)
        values = (backbone, attention, own, classifier, self.circle, num_classes)
        self._about = dict(zip(ABOUT, values, strict=True))

    def feature(self, images: Tensor) -> Tensor:
        """Globally averaged feature map, [B, D], not normalised; float32 also under autocast."""
        return average(self.backbone(images))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`feature` [B, D], before the BN neck, and `scores` [B, C], the classifier's answer."""
        feature = self.feature(images)
        return {"feature": feature, "scores": self.head(self.neck(feature))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Scalar terms by name, whose sum is the loss; `out` is the whole batch's, of all ranks.

        Label smoothing is torch's: the true class has 1 - eps + eps / C, every other eps / C
        (Szegedy et al., https://arxiv.org/abs/1512.00567, section 7). FastReID gives the others
        eps / (C - 1).
        """
        logits = out["scores"]
        if self.classifier != "linear":
            logits = MARGINS[self.classifier](logits, labels, **self.circle)
        terms = {"ce": F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)}
        if self.triplet:
            terms["triplet"] = batch_hard(out["feature"], labels, **self.batch_hard)
        return terms

    def embed(self, images: Tensor) -> Tensor:
        """BN neck output [B, D], not normalised; call `eval()` first."""
        embedding: Tensor = self.neck(self.feature(images))
        return embedding

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the BN neck."""
        return [self.head]

    def about(self) -> dict[str, Any]:
        """All but the losses, which no test needs."""
        return dict(self._about)

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self:
        """As in `System`."""
        check_described(about, ABOUT)
        own = {about["attention"]: about["attention_options"]}
        found = {"backbone": about["backbone"], "options": own, "circle": about["circle"]}
        options = keywords("systems/ours.py", "Network").model_validate(found).model_dump()
        plain = {name: about[name] for name in ("num_classes", "attention", "classifier")}
        return cls(**plain, **options, triplet=False)


def recipe(
    *,
    image_size: Size = (256, 128),
    identities: PositiveInt = 16,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {},  # noqa: B006
    epochs: PositiveInt = 120,
    lr: PositiveFloat = 3.5e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    warmup_epochs: NonNegativeInt = 10,
    milestones: Milestones = (40, 70),
    gamma: Fraction = 0.1,
) -> Recipe:
    """Adam with linear warm-up and steps on P x K batches; the section `train` of a profile.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is otherwise than in the ReID baselines.
        epochs: of the only phase.
        lr: learning rate after the warm-up.
        weight_decay: added to the gradients, as Adam has it.
        warmup_epochs: during which the rate rises.
        milestones: epochs at which the rate falls.
        gamma: to what part.
    """
    phase = Phase(
        epochs=epochs,
        optimiser="adam",
        lr=lr,
        weight_decay=weight_decay,
        warmup_epochs=warmup_epochs,
        milestones=milestones,
        gamma=gamma,
    )
    batches = Identities(identities=identities, images=images)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))
