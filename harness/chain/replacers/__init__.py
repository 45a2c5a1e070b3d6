"""The replacers, by the id that support configurations call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.chain.replacers.const_override import ConstValueOverrideReplacement
from harness.chain.replacers.detection_output import DetectionOutputReplacement
from harness.chain.replacers.dilated_convolution import DilatedConvolutionReplacement
from harness.chain.replacers.legacy import (
    LegacyDetectionOutputReplacement,
    LegacyPreprocessorReplacement,
    LegacyProposalReplacement,
)
from harness.chain.replacers.mask_roi_pooling import MaskRoiPoolingReplacement
from harness.chain.replacers.mask_sigmoid import MaskSigmoidReplacement
from harness.chain.replacers.nearest_upsampling import NearestUpsamplingReplacement
from harness.chain.replacers.output import OutputReplacement
from harness.chain.replacers.preprocessor import PreprocessorReplacement
from harness.chain.replacers.preprocessor2 import Preprocessor2Replacement
from harness.chain.replacers.proposal import ProposalReplacement
from harness.chain.replacers.psroi_pooling import PsRoiPoolingReplacement
from harness.chain.replacers.ssd_postprocessor import SsdPostprocessorReplacement
from harness.chain.replacers.weighted_fusion import WeightedFusionReplacement

if TYPE_CHECKING:
    from harness.chain.replacer import Replacer

REPLACERS: dict[str, type[Replacer]] = {
    kind.replacement_id: kind
    for kind in (
        DilatedConvolutionReplacement,
        NearestUpsamplingReplacement,
        WeightedFusionReplacement,
        OutputReplacement,
        PreprocessorReplacement,
        Preprocessor2Replacement,
        ProposalReplacement,
        PsRoiPoolingReplacement,
        DetectionOutputReplacement,
        MaskRoiPoolingReplacement,
        MaskSigmoidReplacement,
        ConstValueOverrideReplacement,
        LegacyPreprocessorReplacement,
        LegacyProposalReplacement,
        LegacyDetectionOutputReplacement,
        SsdPostprocessorReplacement,
    )
}
