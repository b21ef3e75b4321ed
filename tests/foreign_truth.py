"""Networks of timm and mmpretrain with seeded parameters, and what their own modules answer.

Everything seeded comes from NumPy's frozen generator, so that the same checkpoint can be made with and without PyTorch.
`python tests/foreign_truth.py` (with the packages of the extra `foreign-test`) writes the goldens anew.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

GOLDENS = Path(__file__).with_name("golden_foreign")
LOGITS = 2.0  # deviation of the scores before softmax: neither all equal nor one alone

# The name here, and what timm calls the network; mmpretrain's are called alike.
TIMM = {
    "cspdarknet53.ra_in1k": "cspdarknet53",
    "cspresnet50.ra_in1k": "cspresnet50",
    "cspresnext50.ra_in1k": "cspresnext50",
    "darknet53.c2ns_in1k": "darknet53",
}
MMPRETRAIN = (
    "cspdarknet50_3rdparty_8xb32_in1k",
    "cspresnet50_3rdparty_8xb32_in1k",
    "cspresnext50_3rdparty_8xb32_in1k",
)
NETWORKS = (*TIMM, *MMPRETRAIN)
NEEDED = "needs timm, mmpretrain and mmcv-lite: pip install darknet-compiler[foreign-test]"


def seeded(name: str, shape: tuple[int, ...], head: float = 1.0) -> np.ndarray:
    """The tensor of that name; `head` multiplies the last layer."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if not shape:
        return np.array(7, np.int64)  # num_batches_tracked
    numbers = random.random_sample(shape).astype(np.float32)
    if name.endswith("running_var"):
        return numbers + np.float32(0.5)
    if len(shape) == 1 and name.endswith("weight"):
        return numbers * np.float32(0.3) + np.float32(0.6)
    spread = (4.5 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.2
    scale = head if name == "head.fc.weight" else 1.0
    return ((numbers * 2 - 1) * np.float32(spread * scale)).astype(np.float32)


def pictures() -> list[np.ndarray]:
    """Three pictures in BGR: wide, high, and smaller than a network's input."""
    random = np.random.RandomState(5)
    found = []
    for height, width, cell in ((360, 500, 20), (431, 333, 7), (150, 201, 3)):
        coarse = random.randint(0, 256, (height // cell + 1, width // cell + 1, 3)).astype(np.uint8)
        large = coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]
        found.append(np.clip(large.astype(int) + random.randint(-20, 21, large.shape), 0, 255).astype(np.uint8))
    return found


# -- their programs --------------------------------------------------------------------------------------------------


def their_model(name: str, head: float = 1.0) -> Any:
    """Their network, with the seeded parameters."""
    import torch

    if name in TIMM:
        import timm

        model = timm.create_model(TIMM[name])
    else:
        from mmpretrain import get_model

        model = get_model(name, pretrained=False)
    state = {k: torch.from_numpy(seeded(k, tuple(v.shape), head).copy()) for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    return model.eval()


def their_input(name: str, model: Any, picture: np.ndarray) -> Any:
    """The input that their pipeline makes of a picture."""
    if name in TIMM:
        from PIL import Image
        from timm.data import create_transform, resolve_data_config

        transform = create_transform(**resolve_data_config({}, model=model))
        return transform(Image.fromarray(picture[:, :, ::-1]))[None]
    from mmpretrain.apis import ImageClassificationInferencer

    pipeline = ImageClassificationInferencer(model).pipeline
    data = pipeline(dict(img=picture, img_shape=picture.shape[:2], ori_shape=picture.shape[:2]))
    return model.data_preprocessor(dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]]), False)["inputs"]


def their_answer(name: str, model: Any, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean features and the scores, before softmax."""
    import torch

    with torch.no_grad():
        x = their_input(name, model, picture)
        if name in TIMM:
            features = model.forward_features(x)
            logits = model.forward_head(features)
        else:
            features = model.backbone(x)[-1]
            logits = model.head.fc(features.mean((2, 3)))
    return features.mean((2, 3))[0].numpy(), logits[0].numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits.astype(np.float64) - logits.max())
    return (e / e.sum()).astype(np.float32)


def write_goldens() -> None:
    for name in NETWORKS:
        model = their_model(name)
        _, logits = their_answer(name, model, pictures()[0])
        head = float(np.float32(LOGITS / logits.std()))
        model = their_model(name, head)
        answers = [their_answer(name, model, picture) for picture in pictures()]
        state = model.state_dict()
        np.savez_compressed(
            GOLDENS / f"{name}.npz",
            names=np.array([*state]),
            shapes=np.array([",".join(map(str, v.shape)) for v in state.values()]),
            head=head,
            features=np.array([f[::16] for f, _ in answers]),
            scores=np.array([softmax(s)[::4] for _, s in answers]),
            labels=np.array([s.argmax() for _, s in answers]),
        )
        print(name, head, [float(softmax(s).max()) for _, s in answers])


if __name__ == "__main__":
    write_goldens()
