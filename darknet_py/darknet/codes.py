"""What each diagnostic code means, what to do about it, and the smallest text that brings it.

Decision: the examples are compiled by a test, so that what is explained is what is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Code, DataError
from ..spelling import did_you_mean

NET = "[net]\nwidth=64\nheight=64\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nactivation=leaky\n"
HEAD = (
    "[convolutional]\nfilters=21\nactivation=linear\n"
    "[yolo]\nmask=0,1,2\nanchors=10,14, 23,27, 37,58\nclasses=2\nnum=3\n"
)


@dataclass(frozen=True)
class Explanation:
    """A code in words: what is found, and what to do; `example` is a cfg that has it, '' where it takes other files."""

    what: str
    remedy: str
    example: str = ""


EXPLANATIONS = {
    Code.ENCODING: Explanation(
        "The file is not plain text as Darknet reads it: a byte-order mark, UTF-16, or NUL bytes of other files.",
        "Save it as UTF-8 without a byte-order mark.", "\ufeff" + NET + CONV,
    ),
    Code.STRAY_TEXT: Explanation(
        "There is text before the first section.", "Begin the file with [net]; comments begin with '#' or ';'.",
        "width=64\n" + NET + CONV,
    ),
    Code.BAD_HEADER: Explanation(
        "A line that begins with '[' is not a section name in brackets.", "Write [name], and nothing after it.",
        NET + "[convolutional\nfilters=8\n",
    ),
    Code.NO_EQUALS: Explanation(
        "A line has no '=', so Darknet takes no value from it.", "Write key=value, or make it a comment with '#'.",
        NET + CONV + "pad 1\n",
    ),
    Code.EMPTY_VALUE: Explanation(
        "An option has no value; Darknet uses its default.", "Write the value, or remove the line.",
        NET + CONV + "size=\n",
    ),
    Code.INLINE_COMMENT: Explanation(
        "A comment stands after a value or a section name; Darknet has none there, and reads it as part of them.",
        "Put the comment on a line of its own.", NET + CONV + "size=3 # kernel\n",
    ),
    Code.VARIABLE: Explanation(
        "A value is $name, which some trainers replace by the option `name` of [net]; Darknet reads 0.",
        "Write the number.", NET + "n=8\n[convolutional]\nfilters=$n\nactivation=leaky\n",
    ),
    Code.LINE_ENDS: Explanation(
        "Lines end in a bare carriage return, and Darknet reads the file as one line.",
        "Save it with Unix or Windows line ends.", (NET + CONV).replace("\n", "\r"),
    ),
    Code.DUPLICATE_KEY: Explanation(
        "An option stands twice in a section; Darknet keeps the first.", "Remove the one that is not meant.",
        NET + CONV + "filters=9\n",
    ),
    Code.TOO_LARGE: Explanation(
        "The file, or a tensor that it asks for, is larger than any network's.",
        "Look for a number with a digit too many.",
        NET.replace("64", "65536") + CONV,
    ),
    Code.NO_KEY: Explanation(
        "A line begins with '='; Darknet ignores it.", "Write the name of the option, or remove the line.",
        NET + CONV + "=3\n",
    ),
    Code.UNKNOWN_KEY: Explanation(
        "A section has no option of this name, and no program whose dialect is read has; it is ignored.",
        "Correct the name, or remove the line; `darknet-py explain SECTION` lists the options.",
        NET + CONV + "kernel_size=3\n",
    ),
    Code.BAD_NUMBER: Explanation(
        "A number is wanted and something else is written; Darknet silently reads 0.", "Write the number.",
        NET + "[convolutional]\nfilters=many\n",
    ),
    Code.ODD_NUMBER: Explanation(
        "A number is read, but not all that is written: C stops at the first character that is no digit of it.",
        "Write one plain number; items of a list are separated by ','.", NET + CONV + "size=3x3\n",
    ),
    Code.OUT_OF_RANGE: Explanation(
        "A number is outside what the option can be.", "`darknet-py explain SECTION` gives the range.",
        NET + "[convolutional]\nfilters=0\n",
    ),
    Code.BAD_CHOICE: Explanation(
        "A word is none of those that the option knows.", "Use one of the words in the message.",
        NET + HEAD + "nms_kind=softnms\n",
    ),
    Code.UNKNOWN_ACTIVATION: Explanation(
        "An activation is unknown; Darknet silently takes ReLU, which is another network.",
        "Use one of Darknet's names; --as-darknet reads ReLU.", NET + CONV.replace("leaky", "leeky"),
    ),
    Code.GLUED_LIST: Explanation(
        "Two numbers of a list have a blank but no comma between them; Darknet removes the blank and reads one number.",
        "Write the comma.", NET + HEAD.replace("10,14, 23", "10,14 23"),
    ),
    Code.TRAILING_COMMA: Explanation(
        "A list ends in a comma, and Darknet reads one more item, a 0.", "Remove the comma.",
        NET + HEAD.replace("37,58", "37,58,"),
    ),
    Code.MISSING_OPTION: Explanation(
        "An option without a default is missing.", "Add it; the message says what it is.", NET + CONV + "[route]\n",
    ),
    Code.OVERRIDDEN: Explanation(
        "Two options say different things of the same.", "Keep one of them.",
        NET + CONV + "[maxout]\nout_channels=2\ngroups=4\n",
    ),
    Code.EMPTY_FILE: Explanation(
        "The file has no section, or no layer.", "A cfg is [net] and at least one layer after it.", "# nothing\n",
    ),
    Code.NO_NET: Explanation("The first section is not [net].", "Begin the file with [net].", CONV),
    Code.UNKNOWN_SECTION: Explanation(
        "The dialect has no section of this name.",
        "Correct the name, or say --dialect; `darknet-py explain` lists all sections.", NET + "[conv2d]\nfilters=8\n",
    ),
    Code.BAD_REFERENCE: Explanation(
        "A layer is named that is not before this one.",
        "Negative numbers count back from this layer, others from the first layer after [net], which is 0.",
        NET + CONV + "[route]\nlayers=5\n",
    ),
    Code.BAD_SHAPE: Explanation(
        "A layer cannot be computed on what it reads: sizes or channels do not fit.",
        "Look at the shapes in `darknet-py summary`; often [net] has a size that is no multiple of the strides.",
        NET + "[maxpool]\nsize=80\nstride=1\npadding=0\n",
    ),
    Code.NO_INPUT_SIZE: Explanation(
        "[net] does not say how large the input is, or says it so that Darknet divides by zero.",
        "Set width, height and channels.", "[net]\nwidth=64\n" + CONV,
    ),
    Code.NOT_AN_IMAGE: Explanation(
        "A layer that wants an image reads numbers without height and width.", "Change what it reads.",
        NET + "[connected]\noutput=4\nactivation=linear\n[cost]\n" + CONV,
    ),
    Code.HEAD_MISMATCH: Explanation(
        "A head reads another number of channels than its boxes and classes have.",
        "Set the `filters` of the convolution before it to what the message says.", NET + HEAD.replace("21", "24"),
    ),
    Code.UNDEFINED: Explanation(
        "Darknet reads or writes out of bounds here, or computes something that nobody can have meant.",
        "The message says what; the hint, what to write instead.",
        NET + CONV + "padding=1\n",
    ),
    Code.DIALECT: Explanation(
        "The file is read as another program than AlexeyAB's Darknet reads it, because of the line that is shown.",
        "Name the dialect with --dialect; it decides on details of normalization, decoding and letterboxing.",
        NET + CONV + "[logistic]\n",
    ),
    Code.SUSPICIOUS: Explanation(
        "A value is computed as it is written, and is probably not meant: it has another unit, or does not fit others.",
        "Compare it with what the message expects.",
        NET + HEAD.replace("10,14, 23,27, 37,58", "0.1,0.2, 0.2,0.3, 0.4,0.5"),
    ),
    Code.NO_EFFECT: Explanation(
        "An option has no effect beside another one.", "Remove it, or the other.",
        NET + CONV + "xnor=1\ngroups=2\n",
    ),
    Code.WEIGHTS_HEADER: Explanation(
        "A weights file does not begin as Darknet's do.", "Look whether it is another kind of file, or was cut.",
    ),
    Code.WEIGHTS_SHORT: Explanation(
        "A weights file ends before the network has all its parameters.",
        "`darknet-py weights` shows the layer; download it again, or find the cfg that it belongs to.",
    ),
    Code.WEIGHTS_LONG: Explanation(
        "A weights file holds more numbers than the network has parameters.", "Find the cfg that it belongs to.",
    ),
    Code.WEIGHTS_MISSING: Explanation(
        "A weights file cannot be read or written.", "Look at the path and its permissions.",
    ),
    Code.WEIGHTS_VALUES: Explanation(
        "A weights file holds numbers with which the network computes NaN.",
        "The training diverged, or the file belongs to another cfg of the same size.",
    ),
    Code.SIDE_FILE: Explanation(
        "A file that the cfg or the command names cannot be read, or is not what it should be.",
        "Look at the path; trees are looked up beside the cfg.",
    ),
    Code.OPTION: Explanation(
        "An option of the command line, or an argument of `load`, does not fit a file in which nothing is wrong.",
        "Leave it out, or use a value that the hint names.",
    ),
}  # fmt: skip


def describe_code(code: str) -> str:
    """A diagnostic code in words, with the smallest cfg that brings it. Raises `DataError` for an unknown one.

    >>> print(describe_code("DK109").splitlines()[0])
    DK109 (duplicate key)
    """
    known = {str(c): c for c in EXPLANATIONS}
    if code.upper() not in known:
        raise DataError(f"no code {code!r}; {did_you_mean(code, known) or 'they are DK101 to DK502'}")
    found = known[code.upper()]
    text = EXPLANATIONS[found]
    lines = [f"{found} ({found.name.lower().replace('_', ' ')})", f"  {text.what}", f"  {text.remedy}"]
    if text.example:
        lines += ["  For example:", *(f"    {line}" for line in text.example.strip("\ufeff").splitlines())]
    return "\n".join(lines)


def list_codes() -> str:
    """Every code with a sentence.

    >>> "DK201" in list_codes()
    True
    """
    return "\n".join(f"{code:<20}{text.what}" for code, text in EXPLANATIONS.items())
