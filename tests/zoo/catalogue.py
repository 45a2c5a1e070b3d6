"""The real graphs: what each is, what its pipeline.config has to be corrected to, and what it has to find at least."""

from __future__ import annotations

import dataclasses

from harness.cases.case import Era, Family, Floor


@dataclasses.dataclass(frozen=True)
class Model:
    """One folder of the zoo.

    ``corrections`` replace texts of the pipeline.config that lies there, each of which has to occur once. ``batch``
    pictures are seen at once when weights are made. ``trained`` models come with their weights.
    """

    folder: str
    family: Family
    era: Era
    floor: Floor
    corrections: tuple[tuple[str, str], ...] = ()
    batch: int = 8
    trained: bool = False


SSD_MOBILENET_V2 = Model(
    "ssd_mobilenet_v2_coco_2018_03_29",
    "ssd",
    "1.13",
    Floor(score=0.3, detections=100, classes=30, score_spread=0.1),
    # Its owner edited the number of classes; the graph has the zoo's.
    corrections=(("num_classes: 1\n", "num_classes: 90\n"),),
)
SSDLITE_MOBILENET_V2 = Model(
    "ssdlite_mobilenet_v2_tf1.14", "ssd", "1.14", Floor(score=0.3, detections=100, classes=6, score_spread=0.2)
)
SSD_MOBILENET_V1_QUANTIZED = Model(
    "ssd_mobilenet_v1_0.75_quantized_tf1.12",
    "ssd",
    "1.13",
    Floor(score=0.1, detections=20, classes=1, score_spread=0.2),
)
FASTER_RCNN_INCEPTION_V2 = Model(
    "faster_rcnn_inception_v2_tf1.8",
    "faster_rcnn",
    "1.13",
    Floor(score=0.3, detections=40, classes=4, score_spread=0.2),
    batch=4,
)
MASK_RCNN_INCEPTION_V2 = Model(
    "mask_rcnn_inception_v2_tf1.14",
    "mask_rcnn",
    "1.14",
    Floor(score=0.3, detections=20, classes=1, score_spread=0.2, mask_area=0.1),
    batch=2,
)
AIY_PERSON_CAT_DOG = Model(
    "aiy_ssd_mobilenet_v1_person_cat_dog",
    "ssd",
    "1.13",
    Floor(score=0.3, detections=3, classes=3, score_spread=0.2),
    trained=True,
)

WITHOUT_WEIGHTS = (
    SSD_MOBILENET_V2,
    SSDLITE_MOBILENET_V2,
    SSD_MOBILENET_V1_QUANTIZED,
    FASTER_RCNN_INCEPTION_V2,
    MASK_RCNN_INCEPTION_V2,
)
SSD = (SSD_MOBILENET_V2, SSDLITE_MOBILENET_V2, SSD_MOBILENET_V1_QUANTIZED, AIY_PERSON_CAT_DOG)
TWO_STAGE = (FASTER_RCNN_INCEPTION_V2, MASK_RCNN_INCEPTION_V2)
