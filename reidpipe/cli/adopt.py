"""reidpipe adopt."""

from pathlib import Path
from typing import Annotated

import typer


def adopt(
    file: Annotated[Path, typer.Argument(help="A .pth, .safetensors or .onnx of other code.")],
    out: Annotated[Path, typer.Argument(help="The model file to write, NAME.safetensors.")],
    height: Annotated[int, typer.Option(min=16, help="Of the images, in pixels.")] = 256,
    width: Annotated[int, typer.Option(min=16, help="Of the images, in pixels.")] = 128,
    last_stride: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Of a ResNet's last stage; default: its code's."),
    ] = None,
    ceil: Annotated[
        bool | None,
        typer.Option(
            "--ceil/--no-ceil",
            help="Whether the stem pools without padding, as FastReID's; default: its code's.",
        ),
    ] = None,
) -> None:
    """Take a network that other code has trained: of torchreid, FastReID, BoT, timm, torchvision.

    What is written can be searched with and judged. What is known, and what not: docs/foreign.md.

    Example: reidpipe adopt osnet_x1_0_market.pth osnet.safetensors
    """
    from reidpipe.commands import adopt as adopting
    from reidpipe.formats import params
    from reidpipe.runtime import machine

    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"{out} does not end in .safetensors", param_hint="OUT")
    machine.pin(params.load().active.extract.instructions)
    choices = adopting.Choices(last_stride, ceil)
    found = adopting.adopt(file, out, image_size=(height, width), choices=choices)
    print(f"{file}: {found.base}, {found.trunk}; {found.fitting} tensors fit, none is missing")
    if found.left:
        print(f"left over: {', '.join(found.left)}")
    known = "no classifier" if found.people is None else f"a classifier of {found.people}"
    print(f"wrote {out}: {found.system}, {height}x{width}, descriptors of {found.width}, {known}")
