"""A drawing as Mermaid (GitHub and GitLab render it in Markdown) and as DOT (Graphviz)."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import printable
from .drawing import Drawing, Stage
from .style import CSP_LINE, FRAME, FRAME_LINE, STYLES, TEXT, Style, is_small, lines, style_name, used_styles


def to_mermaid(drawing: Drawing) -> str:
    """The drawing as a Mermaid flowchart: a subgraph for each stage, and one in it for each CSP block."""
    title = ["---", f"title: {_quoted(_doubled(drawing.title))}", "---"] if drawing.title else []
    classes = [f"  classDef {name} {_mermaid_style(s)}" for name, s in used_styles(drawing).items()]
    stages = [line for i, stage in enumerate(drawing.stages) for line in _mermaid_stage(drawing, stage, i)]
    arrows = [f"  b{a} --> b{b}" for a, b in drawing.arrows]
    frames = [f"  style s{i} fill:{FRAME},stroke:{FRAME_LINE},color:{TEXT}" for i in range(len(drawing.stages))]
    parts = _parts(drawing)
    blocks = [f"  style {p} fill:none,stroke:{CSP_LINE},stroke-dasharray:5 3,color:{TEXT}" for p in parts]
    image = _mermaid_box(drawing, 0)
    return "\n".join([*title, "flowchart TB", *classes, image, *stages, *arrows, *frames, *blocks, ""])


def to_dot(drawing: Drawing) -> str:
    """The drawing in Graphviz's language: a cluster for each stage, and one in it for each CSP block."""
    font = 'fontname="Helvetica,Arial,sans-serif"'
    head = [
        "digraph network {",
        f"  label={_quoted(_doubled(drawing.title))}; labelloc=t; {font}; fontsize=16; rankdir=TB;",
        f'  node [shape=box, style="filled,rounded", {font}, fontsize=10, margin="0.12,0.06"];',
        f'  edge [color="#4d4d4d", arrowsize=0.7]; graph [{font}, fontsize=10, labeljust=l];', _dot_box(drawing, 0),
    ]  # fmt: skip
    stages = [line for i, stage in enumerate(drawing.stages) for line in _dot_stage(drawing, stage, i)]
    arrows = [f"  b{a} -> b{b};" for a, b in drawing.arrows]
    return "\n".join([*head, *stages, *arrows, "}", ""])


def _mermaid_stage(drawing: Drawing, stage: Stage, number: int) -> Iterable[str]:
    yield f"  subgraph s{number}[{_quoted(_stage_title(stage))}]"
    for csp, boxes in _by_block(drawing, stage).items():
        inside = [_mermaid_box(drawing, i) for i in boxes]
        yield from inside if csp is None else [f'  subgraph c{csp}x{number}["CSP block"]', *inside, "  end"]
    yield "  end"


def _mermaid_box(drawing: Drawing, at: int) -> str:
    box = drawing.boxes[at]
    left, right = ("([", "])") if is_small(box) else ("[", "]")
    return f"  b{at}{left}{_quoted('<br/>'.join(lines(box)))}{right}:::{style_name(box)}"


def _mermaid_style(style: Style) -> str:
    dashes = ",stroke-dasharray:5 3" if style.dashed else ""
    return f"fill:{style.fill},stroke:{style.line},color:{TEXT}{dashes}"


def _dot_stage(drawing: Drawing, stage: Stage, number: int) -> Iterable[str]:
    yield f"  subgraph cluster_s{number} {{"
    yield f'    label={_quoted(_stage_title(stage))}; style="filled,rounded";'
    yield f'    fillcolor="{FRAME}"; color="{FRAME_LINE}";'
    for csp, boxes in _by_block(drawing, stage).items():
        inside = ["  " + _dot_box(drawing, i) for i in boxes]
        if csp is None:
            yield from inside
            continue
        yield f"    subgraph cluster_c{csp}x{number} {{"
        yield f'      label="CSP block"; style="dashed,rounded"; color="{CSP_LINE}";'
        yield from ["  " + line for line in inside]
        yield "    }"
    yield "  }"


def _dot_box(drawing: Drawing, at: int) -> str:
    box = drawing.boxes[at]
    style = STYLES[style_name(box)]
    dashed = ', style="filled,rounded,dashed"' if style.dashed else ""
    text = _quoted("\\n".join(map(_doubled, lines(box))))
    return f'  b{at} [label={text}, fillcolor="{style.fill}", color="{style.line}"{dashed}];'


def _by_block(drawing: Drawing, stage: Stage) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for i in stage.boxes:
        found.setdefault(drawing.boxes[i].csp, []).append(i)
    return found


def _parts(drawing: Drawing) -> list[str]:
    return [
        f"c{csp}x{number}" for number, stage in enumerate(drawing.stages) for csp in _by_block(drawing, stage)
        if csp is not None
    ]  # fmt: skip


def _stage_title(stage: Stage) -> str:
    return " · ".join([stage.title, *stage.notes])


def _doubled(text: str) -> str:
    """A text for the strings of DOT, and of YAML in Mermaid's title, where a backslash begins an escape."""
    return printable(text, lines=False).replace("\\", "\\\\")


def _quoted(text: str) -> str:
    """A string for both languages, which escape differently: the one character to avoid is replaced."""
    return '"' + printable(text, lines=False).replace('"', "'") + '"'
