"""The joints of a body, and the parts that lie between them."""

JOINTS = (
    "crown",
    "neck",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
)
"""Sides are the person's own."""

RIGID = {
    "head and shoulders": ("crown", "neck", "right shoulder", "left shoulder"),
    "trunk": ("right shoulder", "left shoulder", "right hip", "left hip"),
    "hips": ("right hip", "left hip"),
}
"""Parts that keep their shape, by the joints that they lie around."""

LIMBS = {
    f"{side} {name}": (f"{side} {start}", f"{side} {end}")
    for side in ("right", "left")
    for name, start, end in (
        ("upper arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
        ("thigh", "hip", "knee"),
        ("shin", "knee", "ankle"),
    )
}
"""Parts that move, by their two ends."""
