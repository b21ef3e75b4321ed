"""[net]: the size of the input; the training options are read past."""

from __future__ import annotations

from dataclasses import dataclass

from ..cfg import Section
from ..cfg.options import opt
from ..errors import Code, Diagnostics

NET_SECTIONS = ("net", "network")

# parser.c parse_net_options, and what trainers that share the format put there
NET_INERT = frozenset(
    """
    batch subdivisions learning_rate momentum decay max_batches burn_in policy power steps scales seq_scales step scale
    gamma angle saturation exposure hue aspect flip max_crop min_crop mosaic mosaic_bound mixup cutmix blur
    gaussian_noise label_smooth_eps ema_alpha adam B1 B2 eps sgdr_mult sgdr_cycle learning_rate_min
    sequential_subdivisions augment_speed track dynamic_minibatch optimized_memory workspace_size_limit_MB
    use_cuda_graph loss_scale try_fix_nan weights_reject_freq equidistant_point badlabels_rejection_percentage
    num_sigmas_reject_badlabels unsupervised contrastive contrastive_jit_flip contrastive_color attention
    adversarial_lr max_chart_loss resize_step show_receptive_field
    """.split()
)


@dataclass(frozen=True)
class Net:
    """The network's own options."""

    width: int = opt(0, "input width in pixels", low=0, high=65536)
    height: int = opt(0, "input height in pixels", low=0, high=65536)
    channels: int = opt(0, "input channels", low=0, high=65536)
    inputs: int = opt(0, "length of an input that is no image; default: height * width * channels", low=0)
    letter_box: int = opt(0, "1: keep the aspect ratio of images and pad, instead of stretching them")
    time_steps: int = opt(1, "frames that Darknet unrolls in training; here a step is a call")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input: (channels, height, width), or a vector, or () where the cfg does not say."""
        if self.width and self.height and self.channels:
            return (self.channels, self.height, self.width)
        return (self.inputs,) if self.inputs else ()


def lint_schedule(section: Section, found: Diagnostics) -> None:
    """Warn about a learning-rate schedule on which Darknet stops or crashes although it is not training."""
    policy, steps, scales = (section.find(key) for key in ("policy", "steps", "scales"))
    if policy is None or policy.value != "steps":
        return
    if steps is None or scales is None:
        message = "policy=steps without steps and scales: Darknet refuses the file"  # parser.c parse_net_options
        found.warning(Code.MISSING_OPTION, message, policy.span)
    elif (scales.value or "").count(",") < (steps.value or "").count(","):
        message = f"'scales' has fewer items than 'steps' on line {steps.span.line}: Darknet crashes on the file"
        found.warning(Code.SUSPICIOUS, message, scales.span)
