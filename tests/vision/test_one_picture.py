"""One picture, handed over in every way there is, to networks of 1, 3 and 4 channels: always what Darknet reads."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from darknet_py.contract.contract import Contract
from darknet_py.errors import DataError, PictureWarning, to_nobody
from darknet_py.vision.inference import prepare
from darknet_py.vision.sources import loaders, pictures

Image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install 'darknet-compiler[letters]'")

H, W = 16, 24
ORIENTATION = 0x0112
FLAGS = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, 4: cv2.IMREAD_UNCHANGED}
RGBA = cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 6, 4), np.uint8), (W, H))
DEEP = (RGBA[..., :3].astype(np.uint16) << 8) + np.arange(H * W, dtype=np.uint16).reshape(H, W, 1) % 256


def saved(image: Any, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def of_mode(mode: str) -> Any:
    colours = Image.fromarray(np.ascontiguousarray(RGBA[..., :3]))
    if mode == "LA":
        return Image.merge("LA", [Image.fromarray(np.ascontiguousarray(RGBA[..., i])) for i in (0, 3)])
    if mode == "CMYK":
        return Image.merge("CMYK", [Image.fromarray(np.ascontiguousarray(RGBA[..., i])) for i in range(4)])
    if mode == "RGBA":
        return Image.fromarray(RGBA)
    return colours.quantize(8) if mode == "P" else colours.convert(mode)


def turned(orientation: int, mode: str = "RGB", form: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(of_mode(mode), form, exif=exif)


WHOLE = saved(of_mode("RGB"), "JPEG", quality=95)

FILES: dict[str, bytes] = {
    "rgb.png": saved(of_mode("RGB"), "PNG"),
    "rgb.jpg": WHOLE,
    "rgb.bmp": saved(of_mode("RGB"), "BMP"),
    "rgb.webp": saved(of_mode("RGB"), "WEBP", lossless=True),
    "grey.png": saved(of_mode("L"), "PNG"),
    "grey.jpg": saved(of_mode("L"), "JPEG"),
    "grey16.png": encoded(".png", DEEP[..., 0]),
    "grey16.pgm": encoded(".pgm", DEEP[..., 0]),
    "rgb16.png": encoded(".png", DEEP),
    "rgba16.png": encoded(".png", np.dstack([DEEP, DEEP[..., 0]])),
    "float.tiff": saved(Image.fromarray(RGBA[..., 0].astype(np.float32) / 255), "TIFF"),
    "int32.tiff": saved(Image.fromarray(RGBA[..., 0].astype(np.int32) * 257), "TIFF"),
    "rgba.png": saved(of_mode("RGBA"), "PNG"),
    "la.png": saved(of_mode("LA"), "PNG"),
    "palette.png": saved(of_mode("P"), "PNG"),
    "palette-clear.png": saved(of_mode("P"), "PNG", transparency=2),
    "palette.gif": saved(of_mode("P"), "GIF"),
    "rgb-clear.png": saved(of_mode("RGB"), "PNG", transparency=tuple(int(c) for c in RGBA[0, 0, :3])),
    "cmyk.jpg": saved(of_mode("CMYK"), "JPEG", quality=95),
    "one-bit.png": saved(of_mode("1"), "PNG"),
    **{f"exif-{i}.jpg": turned(i) for i in range(1, 9)},
    **{f"exif-{i}.png": turned(i, "RGBA", "PNG") for i in (3, 6)},
    "cut.jpg": WHOLE[: (WHOLE.index(b"\xff\xda") + len(WHOLE)) // 2],  # in the middle of its pixels
}  # fmt: skip

WAYS: dict[str, Callable[[Path, int], Any]] = {
    "str": lambda path, _: str(path),
    "Path": lambda path, _: path,
    "bytes": lambda path, _: path.read_bytes(),
    "BytesIO": lambda path, _: io.BytesIO(path.read_bytes()),
    "file": lambda path, _: path.open("rb"),
    "PIL": lambda path, _: Image.open(path),
    "PIL of BytesIO": lambda path, _: Image.open(io.BytesIO(path.read_bytes())),
    # An array has no EXIF, and no brightness beside its colours: it is what the user's own imread gave.
    "array": lambda path, channels: cv2.imread(str(path), FLAGS[channels]),
}


def fed(source: Any, channels: int, size: tuple[int, int]) -> np.ndarray | None:
    """What the network gets, times 255; None where the picture is refused."""
    try:
        (picture,) = pictures(source, channels, say=to_nobody)
        out = np.empty((channels, *size), np.float32)
        prepare(picture, Contract(out.shape, 1), letterbox=True, out=out)
    except DataError:
        return None
    finally:
        if hasattr(source, "close"):
            source.close()
    return np.round(out * 255)


def in_darknet(path: Path, channels: int) -> np.ndarray | None:
    """The same, as image_opencv.cpp load_image_mat_cv and mat_to_image make it; None where the C reads past its end.

    Of 16 bits with 4 channels the C takes single bytes for pixels; the upper ones are what stb_image gives.
    """
    pixels = cv2.imread(str(path), FLAGS[channels])
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        return None
    pixels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] != channels:
        return None
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    return pixels[..., order].transpose(2, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def size_of(path: Path, channels: int) -> tuple[int, int]:
    """(height, width) that Darknet sees."""
    pixels = cv2.imread(str(path), FLAGS[channels])
    return (H, W) if pixels is None else pixels.shape[:2]


@pytest.mark.fault("four-channel-order")
@pytest.mark.fault("pil-16-bit")
@pytest.mark.parametrize("channels", FLAGS)
@pytest.mark.parametrize("name", FILES)
def test_a_picture_is_the_same_however_it_is_handed_over(folder: Path, name: str, channels: int) -> None:
    path = folder / name
    wanted, size = in_darknet(path, channels), size_of(path, channels)
    for way, given in WAYS.items():
        source = given(path, channels)
        if source is None:  # imread itself refuses it
            continue
        got = fed(source, channels, size)
        assert (got is None) == (wanted is None), way
        assert wanted is None or np.array_equal(got, wanted), way  # type: ignore[arg-type]  # neither is None


@pytest.mark.parametrize("channels", FLAGS)
@pytest.mark.parametrize("name", [name for name in FILES if name != "cut.jpg"])
def test_a_pil_image_that_was_loaded_is_the_same_but_for_the_rounding_of_grey(
    folder: Path, name: str, channels: int
) -> None:
    path = folder / name
    wanted = in_darknet(path, channels)
    image = Image.open(path)
    image.load()
    got = fed(image, channels, size_of(path, channels))
    assert (got is None) == (wanted is None)
    if got is not None and wanted is not None:
        off = {1: 3 if name.endswith("jpg") else 1}.get(channels, 0)  # a JPEG has a brightness of its own
        assert np.abs(got - wanted).max() <= off


def test_every_kind_reaches_some_network() -> None:
    assert len(FILES) > 25
    assert all(FILES.values())


@pytest.mark.fault("four-channel-order")
def test_four_channels_are_red_green_blue_and_alpha() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, 100
    for source in (saved(Image.fromarray(rgba), "PNG"), Image.fromarray(rgba), rgba[..., [2, 1, 0, 3]]):
        got = fed(source, 4, (8, 8))
        assert got is not None
        assert got[:, 0, 0].tolist() == [200, 0, 0, 100]


@pytest.mark.fault("pil-16-bit")
@pytest.mark.parametrize("values", [np.uint16(40000), np.int32(40000)])
def test_16_bits_of_pil_are_scaled_and_not_cut(values: np.generic) -> None:
    for channels in (1, 3):
        got = fed(Image.fromarray(np.full((8, 8), values)), channels, (8, 8))
        assert got is not None
        assert (got == 40000 >> 8).all()


@pytest.mark.fault("pil-16-bit")
@pytest.mark.parametrize("values", [np.float32(0.6), np.float32(np.nan), np.int32(-1), np.int32(70000)])
def test_pil_images_without_a_known_range_are_an_error(values: np.generic) -> None:
    with pytest.raises(DataError, match="the PIL image: a PIL image of mode"):
        list(pictures(Image.fromarray(np.full((8, 8), values))))


def test_arrays_of_16_bits_are_taken_and_floats_are_not() -> None:
    got = fed(np.full((8, 8), 40000, np.uint16), 1, (8, 8))
    assert got is not None
    assert (got == 156).all()
    with pytest.raises(DataError, match=r"uint8 .* or uint16 .* not float32"):
        list(pictures(np.zeros((8, 8), np.float32)))


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.999])
def test_a_cut_jpeg_has_the_pixels_of_imread_whatever_the_cut(tmp_path: Path, cut: float) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(WHOLE[: int(len(WHOLE) * cut)])
    wanted = in_darknet(path, 3)
    got = fed(path.read_bytes(), 3, (H, W))
    assert (got is None) == (wanted is None)
    assert wanted is None or np.array_equal(got, wanted)  # type: ignore[arg-type]  # neither is None


@pytest.mark.parametrize("way", [way for way in WAYS if way != "array"])
def test_a_cut_jpeg_is_a_warning_that_names_it(folder: Path, way: str) -> None:
    source = WAYS[way](folder / "cut.jpg", 3)
    where = {"bytes": "the bytes", "BytesIO": "the open file", "PIL of BytesIO": "the PIL image"}.get(way)
    with pytest.warns(
        PictureWarning, match=f"^{re.escape(where or str(folder / 'cut.jpg'))}: the JPEG was cut"
    ) as said:
        (picture,) = pictures(source)
    assert picture.warning == str(said.list[0].message)
    if hasattr(source, "close"):
        source.close()


def test_a_whole_jpeg_and_what_is_no_picture_are_not_called_cut(folder: Path) -> None:
    told: list[str] = []
    list(pictures([folder / "rgb.jpg", FILES["grey.jpg"] + b"a camera's own bytes"], say=told.append))
    with pytest.raises(DataError, match="not a picture"):
        list(pictures(b"\xff\xd8 no picture", say=told.append))
    assert told == []


def test_an_open_file_is_read_from_its_beginning_and_may_be_given_twice() -> None:
    file = io.BytesIO(FILES["rgb.png"])
    file.seek(0, io.SEEK_END)
    first, second = pictures([file, file])
    assert np.array_equal(first.pixels, second.pixels)


def test_a_file_opened_as_text_is_an_error(folder: Path) -> None:
    with (
        (folder / "rgb.bmp").open(encoding="latin-1") as file,
        pytest.raises(DataError, match="open it with mode 'rb'"),
    ):
        list(pictures(file))


def test_a_pil_image_that_was_changed_is_not_its_file(folder: Path) -> None:
    image = Image.open(folder / "rgb.png")
    image.putpixel((0, 0), (1, 2, 3))
    (picture,) = pictures(image)
    assert picture.pixels[0, 0].tolist() == [3, 2, 1]
    small = Image.open(folder / "rgb.jpg")
    small.draft("RGB", (W // 2, H // 2))
    (picture,) = pictures(small)
    assert picture.pixels.shape[:2] == small.size[::-1]


def test_a_broken_pil_image_is_an_error(folder: Path) -> None:
    image = Image.open(io.BytesIO(FILES["rgb.png"][:60]))
    with pytest.raises(DataError, match="not a picture that PIL can read"):
        list(pictures(image))


def test_threads_may_share_an_open_file() -> None:
    from concurrent.futures import ThreadPoolExecutor

    file = io.BytesIO(FILES["rgb.jpg"])
    loads = list(loaders([file] * 40))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda load: load().pixels, loads))
    assert all(np.array_equal(found[0], other) for other in found)


@pytest.mark.fault("picture-bomb")
def test_a_pil_bomb_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # as those do whose pictures are large
    image = Image.open(io.BytesIO(saved(Image.new("1", (13400, 13400)), "PNG")))
    with pytest.raises(DataError, match="13400x13400"):
        list(pictures(image))
