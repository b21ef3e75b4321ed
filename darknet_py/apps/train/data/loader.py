"""Mini batches of changed pictures: sample n of a training is the same, whoever makes it and whenever.

Decision: a sample is a pure function of (seed, its number since the beginning, the size of the network), so a run goes
on at any sample and the number of workers changes nothing. Pictures are drawn with replacement, as Darknet does: there
are no epochs. Workers are threads: decoding and OpenCV run without Python's lock, and threads start anywhere at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np

from ....analysis.evaluate.classify import Classified
from ....darknet.layers.layer import Layer
from ....darknet.layers.net import Net
from ....errors import DataError, Say
from ....vision.datasets import Dataset
from . import classifier
from .blend import join_rows, mix
from .chance import NOISE, SAMPLES, chances
from .classifier import cut_out, one_hot, patch_of, put_patch, put_quarters, turn_of
from .drawing import draw_of, drawn_pixels, drawn_rows, to_planes
from .examples import Examples
from .geometry import Size
from .mosaic import QUARTERS, corner_of, cut_of
from .options import CUTMIX, CUTMIX_OR_MOSAIC, GRID, MIXUP, MOSAIC, PLAIN, Augmentation
from .pictures import KEEP
from .source import PictureSource
from .threads import one_thread_of_opencv
from .truth import ROW, filled, grid_truth

AHEAD = 2  # mini batches that are being made while one is learned from


@dataclass(frozen=True, eq=False)
class MiniBatch:
    """What a network learns from at once.

    `images` (n, c, h, w) float32 in RGB, 0 to 1; `truth` float32 as the heads take it: (n, max, 6) rows of x, y, w, h,
    class, track, the first with x == 0 ends; (n, classes) of a classifier; (n, cells) of [detection]. `paths` are the
    files of each sample, joined by " + " where there are several; `first` is the number of the first sample.
    """

    images: np.ndarray
    truth: np.ndarray
    paths: tuple[str, ...]
    first: int

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture as the network sees it: `image` (c, h, w), and either its objects (n, 6) or its class scores."""

    image: np.ndarray
    rows: np.ndarray | None
    scores: np.ndarray | None
    path: str


class Loader:
    """Makes the mini batches of a training from a data set, or from a source of pictures that are made.

    `net` and `head` are the options of [net] and of the last layer, `size` the (height, width) and `batch` the pictures
    of a mini batch where none are asked for (default: the cfg's). `workers` threads make mini batches ahead, 0 makes
    them when they are wanted. `names` are the classes' where the data set has none of its own, `options` replace what
    `net` and `head` say of augmentation; `say` and `keep` are for its `examples`.
    """

    def __init__(
        self,
        dataset: Dataset | Classified | PictureSource,
        net: Net,
        head: Layer,
        *,
        size: Size | None = None,
        batch: int | None = None,
        seed: int = 0,
        workers: int = 1,
        say: Say | None = None,
        names: tuple[str, ...] = (),
        options: Augmentation | None = None,
        keep: int = KEEP,
    ) -> None:
        self.dataset, self.seed, self.workers = dataset, seed, workers
        self.options = options or Augmentation.of(net, head)
        self.channels, self.size = net.channels or 3, size or (net.height, net.width)
        self.batch_size = batch or max(1, net.batch // max(1, net.subdivisions))
        numbers = tuple(map(str, range(self.options.classes)))
        told = dataset.names or names or numbers
        self.examples = Examples(dataset, told, self.options.classes, self.channels, seed=seed, say=say, keep=keep)

    def batch(self, number: int, size: Size | None = None) -> MiniBatch:
        """Mini batch `number`, from 0 on, of the usual number of pictures."""
        return self.samples(number * self.batch_size, self.batch_size, size)

    def samples(self, first: int, count: int, size: Size | None = None) -> MiniBatch:
        """A mini batch of `count` samples from number `first` on, in the calling thread."""
        making = _Making.of(self, first, count, size or self.size)
        for i in range(count):
            making.make(i)
        return making.done()

    def from_sample(
        self, first: int = 0, plan: Iterable[tuple[int, Size]] | None = None, *, share: tuple[int, int] = (0, 1)
    ) -> Generator[MiniBatch, None, None]:
        """Mini batches from sample `first` on, made ahead by the workers; without end unless `plan` has one.

        `plan` gives the number of pictures and the size of each mini batch; it is read `AHEAD` of what is yielded. Of
        several processes, that with `share` (i, n) gets the mini batches i, i + n, i + 2 n, ... of the same training.
        OpenCV has one thread until the iterator ends or is closed.
        """
        wanted = iter(plan) if plan is not None else repeat((self.batch_size, self.size))
        mine = _shared(first, wanted, *share)
        with one_thread_of_opencv():
            if self.workers > 0:
                yield from self._ahead(mine)
            else:
                yield from (self.samples(*one) for one in mine)

    def _ahead(self, wanted: Iterator[tuple[int, int, Size]]) -> Iterator[MiniBatch]:
        waiting: deque[tuple[_Making, list[Future[None]]]] = deque()
        pool = ThreadPoolExecutor(self.workers, "darknet-py-loader")
        try:
            for first, count, size in wanted:
                making = _Making.of(self, first, count, size)
                waiting.append((making, [pool.submit(making.make, i) for i in range(count)]))
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def sample(self, number: int, size: Size | None = None) -> Sample:
        """Sample `number` alone, with its objects as they are before the head's layout: for people to look at."""
        net = size or self.size
        image = np.empty((self.channels, *net), np.float32)
        told, path = self._into(number, net, image)
        found = isinstance(self.dataset, Classified)
        return Sample(image, None if found else told, told if found else None, path)

    def layout(self, rows: np.ndarray) -> np.ndarray:
        """What a sample tells (objects, or scores of classes) as the head takes it."""
        if isinstance(self.dataset, Classified):
            return rows
        options = self.options
        return (
            grid_truth(rows, options.side, options.classes)
            if options.layout == GRID
            else filled(rows, options.max_boxes)
        )

    def _into(self, number: int, net: Size, out: np.ndarray) -> tuple[np.ndarray, str]:
        """Make a sample's picture in `out`; its objects (n, 6) or scores (classes,), and its files."""
        chance = chances(self.seed, SAMPLES, number)
        mixed = self.options.mixing if chance.random() < 0.5 else PLAIN
        if isinstance(self.dataset, Classified):
            return self._classified(number, mixed, chance, net, out)
        if mixed == MOSAIC:
            return self._mosaic(number, chance, net, out)
        rows, path = self._detected(number, 0, net, out)
        if mixed != MIXUP:
            return rows, path
        other = np.empty_like(out)
        more, second = self._detected(number, 1, net, other)
        mix(out, other)
        return join_rows(rows, more, self.options.max_boxes), f"{path} + {second}"

    def _detected(self, number: int, part: int, net: Size, out: np.ndarray) -> tuple[np.ndarray, str]:
        one = self.examples.drawn(number, part, net)
        picture = one.pixels.shape[:2]
        draw = draw_of(one.chance, self.options, picture, net)
        rows = drawn_rows(one.shuffled(), draw, picture, net, self.options)
        to_planes(drawn_pixels(one.pixels, draw, rows, net, noise=self._noise(number, part)), out)
        return rows, one.path

    def _mosaic(self, number: int, chance: np.random.Generator, net: Size, out: np.ndarray) -> tuple[np.ndarray, str]:
        cut = cut_of(tuple(chance.random(2)), net)
        options, slots = self.options, self.options.max_boxes
        whole: np.ndarray | None = None
        rows, paths = np.zeros((0, ROW), np.float32), []
        for part in range(QUARTERS):
            one = self.examples.drawn(number, part, net)
            picture = one.pixels.shape[:2]
            draw = draw_of(one.chance, options, picture, net, part)
            found = drawn_rows(one.shuffled(), draw, picture, net, options)
            corner = corner_of(part, cut, net, draw.excerpt, picture, draw.flip)
            image = drawn_pixels(one.pixels, draw, found, net, part=corner.source, noise=self._noise(number, part))
            whole = np.empty((*net, *image.shape[2:]), np.uint8) if whole is None else whole
            whole[corner.target] = image
            rows = np.concatenate([rows, corner.rows(found, options.mosaic_bound, max(0, slots - len(rows)))])
            paths.append(one.path)
        assert whole is not None
        to_planes(whole, out)
        return rows, " + ".join(paths)

    def _classified(
        self, number: int, mixed: int, chance: np.random.Generator, net: Size, out: np.ndarray
    ) -> tuple[np.ndarray, str]:
        which, blur, *rest = chance.random(6)
        if mixed == CUTMIX_OR_MOSAIC:
            mixed = CUTMIX if which < 0.5 else MOSAIC
        scores, path = self._one_class(number, 0, net, out)
        others = []
        for part in range(1, {PLAIN: 1, MOSAIC: QUARTERS}.get(mixed, 2)):
            image = np.empty_like(out)
            others.append((image, *self._one_class(number, part, net, image)))
        if mixed == MIXUP:
            mix(out, others[0][0])
            shares = np.array([0.5, 0.5])
        elif mixed == CUTMIX:
            patch = patch_of(np.array(rest), net)
            put_patch(out, others[0][0], patch)
            shares = np.array([1 - patch.share(net), patch.share(net)])
        elif mixed == MOSAIC:
            shares = put_quarters(out, [image for image, _, _ in others], cut_of((rest[0], rest[1]), net))
        else:
            shares = np.ones(1)
        if self.options.blur and blur * classifier.BLURRED < 1:
            classifier.blur_planes(out, self.options.blur)
        every = np.stack([scores, *(s for _, s, _ in others)])
        return (shares @ every).astype(np.float32), " + ".join([path, *(p for _, _, p in others)])

    def _one_class(self, number: int, part: int, net: Size, out: np.ndarray) -> tuple[np.ndarray, str]:
        assert isinstance(self.dataset, Classified)
        one = self.examples.drawn(number, part, net)
        cut_out(one.pixels, turn_of(one.chance, self.options, one.pixels.shape[:2], max(net)), net, out)
        scores = one_hot(int(self.dataset.classes[one.index]), len(self.dataset.names), self.options.label_smooth_eps)
        return scores, one.path

    def _noise(self, number: int, part: int) -> np.random.Generator | None:
        return chances(self.seed, NOISE, number, part) if self.options.gaussian_noise else None


@dataclass(frozen=True, eq=False)
class _Making:
    """A mini batch whose samples are being made, each by whatever thread."""

    loader: Loader
    first: int
    size: Size
    images: np.ndarray
    told: list[tuple[np.ndarray, str] | None]

    @classmethod
    def of(cls, loader: Loader, first: int, count: int, size: Size) -> _Making:
        images = np.empty((count, loader.channels, *size), np.float32)
        return cls(loader, first, size, images, [None] * count)

    def make(self, i: int) -> None:
        """Make sample `i` of it. An error of OpenCV becomes one that says which sample it was."""
        try:
            self.told[i] = self.loader._into(self.first + i, self.size, self.images[i])
        except cv2.error as e:
            raise DataError(f"sample {self.first + i} of seed {self.loader.seed} cannot be made: {e}") from None

    def done(self) -> MiniBatch:
        """The whole, when all are made."""
        told = [one for one in self.told if one is not None]
        assert len(told) == len(self.images)
        truth = np.stack([self.loader.layout(rows) for rows, _ in told])
        return MiniBatch(self.images, truth, tuple(path for _, path in told), self.first)


def _shared(first: int, wanted: Iterator[tuple[int, Size]], rank: int, ranks: int) -> Iterator[tuple[int, int, Size]]:
    """First sample, number and size of every mini batch that is one's own."""
    for number, (count, size) in enumerate(wanted):
        if number % ranks == rank:
            yield first, count, size
        first += count


def _finished(making: _Making, futures: list[Future[None]]) -> MiniBatch:
    for future in futures:
        future.result()
    return making.done()
