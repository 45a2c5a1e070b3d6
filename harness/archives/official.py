"""Where the model zoos' archives are published: by name, without the caller having to know an address."""

from __future__ import annotations

import re

from harness.errors import UsageError

_TF1 = "http://download.tensorflow.org/models/object_detection/"
_TF2 = "http://download.tensorflow.org/models/object_detection/tf2/20200711/"
# Archives of the TF1 zoo end in the date of their export; those of the TF2 zoo in what they were trained on.
_TF1_NAMES = re.compile(r"[a-z]\w*_20[12]\d_[01]\d_[0-3]\d")
_TF2_NAMES = re.compile(r"[a-z]\w*_coco17_[tg]pu-\d+")


def address_of(text: str) -> str:
    """The address of an archive: an http(s) address as it is, else that of a published model's name.

    Raises UsageError for anything else.
    """
    if re.fullmatch(r"https?://[^\s]+", text):
        return text
    name = text.removesuffix(".tar.gz")
    if _TF1_NAMES.fullmatch(name):
        return f"{_TF1}{name}.tar.gz"
    if _TF2_NAMES.fullmatch(name):
        return f"{_TF2}{name}.tar.gz"
    raise UsageError(
        f"{text!r} is neither an address nor the name of a published model.",
        advice="For example ssd_mobilenet_v2_coco_2018_03_29, efficientdet_d0_coco17_tpu-32, or https://...tar.gz.",
    )
