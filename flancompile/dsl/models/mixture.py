"""Mixtures and recipes: tasks, their shares and arms, and the build's settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from flancompile.dsl.models.base import Identifier, Strict
from flancompile.dsl.models.style import StyleNames

__all__ = [
    "Frame", "HoldOut", "Lengths", "Member", "Mixture", "Packing", "Recipe", "Shards", "Size",
    "TokenizerSpec",
]  # fmt: skip

_WITHIN = {"example": "pack", "example_input": "input", "example_target": "target"}
MAX_SHOTS = 255  # they are kept in a byte
Weights = Annotated[dict[int, float], Field(description="Shots -> relative weight.")]


class ArmWeights(Strict):
    """Relative weights of an arm and of its absence."""

    with_: float = Field(1.0, ge=0, alias="with", description="Weight of the arm that has it.")
    without: float = Field(1.0, ge=0, description="Weight of the arm that lacks it.")

    @model_validator(mode="after")
    def _positive(self) -> ArmWeights:
        if self.with_ + self.without <= 0:
            raise ValueError("at least one weight must be above 0")
        return self


class Arms(Strict):
    """Shares of the arms; a missing arm inherits its parent's, and the default at the top."""

    shots: Weights | None = Field(None, description="Default: {0: 1}. At most 255 exemplars.")
    options: ArmWeights | None = Field(None, description="Options in the prompt. Default: 1 to 1.")
    cot: ArmWeights | None = Field(None, description="Chain-of-thought target. Default: 1 to 1.")

    @field_validator("shots")
    @classmethod
    def _positive(cls, value: dict[int, float] | None) -> dict[int, float] | None:
        if value is not None and (
            not value or min(value) < 0 or min(value.values()) < 0 or sum(value.values()) <= 0
        ):
            raise ValueError("shots must map numbers of exemplars to weights, at least one above 0")
        if value is not None and max(value) > MAX_SHOTS:
            raise ValueError(f"{max(value)} shots; a prompt has at most {MAX_SHOTS} exemplars")
        return value


class Member(Arms):
    """A node of the mixture tree: tasks by selector, or another mixture."""

    select: str | None = Field(None, description="A selector: `cluster:nli and not inverted`.")
    mixture: str | None = Field(None, description="The id of another mixture.")
    name: str | None = Field(None, description="Name of this member in reports.")
    rate: float | None = Field(
        None, gt=0, description="Relative to its siblings. Default: its size."
    )
    cap_rows: int | None = Field(
        None,
        ge=1,
        description="Maximum rows of each task. If its mixture sets a cap too, the lower applies.",
    )
    max_passes: float | None = Field(
        None,
        gt=0,
        description="Maximum epochs over a task's rows; a shortfall is reported. If its "
        "mixture sets a maximum too, the lower applies.",
    )
    within: Literal["rows", "equal", "rungs"] = Field(
        "rows",
        description="How the member's share is split over its tasks: by capped rows, evenly, or "
        "first over the ladder's names, each by the capped rows of its largest task.",
    )
    temperature: float = Field(
        1.0, gt=0, description="Shares within the member are raised to 1 / temperature."
    )
    overlap: Literal["keep", "exclude"] | None = Field(
        None, description="Handling of tasks that an earlier member has too. Default: an error."
    )

    @model_validator(mode="after")
    def _one_of(self) -> Member:
        if (self.select is None) == (self.mixture is None):
            raise ValueError("a member needs exactly one of `select` and `mixture`")
        return self


class HoldOut(Strict):
    """Tasks kept out of a mixture."""

    select: str = Field(description="Selector of the tasks to leave out.")
    scope: Literal["task", "source", "cluster"] = Field(
        "task",
        description="Hold out these tasks, all tasks of their sources, or of their clusters.",
    )


class Mixture(Arms):
    """A file in mixtures/: a weighted tree of selectors."""

    mixture: str = Field(description="The mixture's id.")
    overrides: str | None = Field(
        None, description="The id of a library mixture that this replaces."
    )
    description: str | None = Field(
        None, description="Purpose of the mixture, for readers of the file."
    )
    members: tuple[Member, ...] = Field(
        min_length=1, description="Tasks and other mixtures, with their rates."
    )
    rate_in: Literal["examples", "target_tokens"] = Field(
        "examples", description="The unit in which the members' rates are balanced."
    )
    cap_rows: int | None = Field(None, ge=1, description="Cap of members that set none.")
    hold_out: tuple[HoldOut, ...] = Field((), description="Tasks left out of the whole build.")
    hold_out_with: dict[str, tuple[str, ...]] = Field(
        {},
        description="Cluster -> clusters that are held out with it, such as paraphrase with nli.",
    )

    @field_validator("hold_out", mode="before")
    @classmethod
    def _one_hold_out(cls, value: object) -> object:
        return (value,) if isinstance(value, dict) else value


class TokenizerSpec(Strict):
    """The tokenizer: exactly one of file, hub, train and bytes."""

    file: str | None = Field(
        None, description="tokenizer.json, tekken.json or a SentencePiece .model."
    )
    hub: str | None = Field(
        None, description="A model repository on the Hub with a tokenizer.json."
    )
    revision: str | None = Field(None, description="Revision of the Hub repository.")
    train: Literal["bpe", "unigram"] | None = Field(
        None, description="Train a tokenizer on the mixture."
    )
    vocab_size: int | None = Field(None, ge=300, description="train: size of the vocabulary.")
    train_rows: int = Field(
        20_000, ge=1, description="train: number of rendered examples to train on."
    )
    bytes: Literal[True] | None = Field(None, description="Use each UTF-8 byte as a token.")
    bos: str | None = Field(
        None,
        description="Text of the beginning-of-sequence token, if the file does not declare it.",
    )
    eos: str | None = Field(
        None, description="Text of the end-of-sequence token, if the file does not declare it."
    )
    pad: str | None = Field(
        None, description="Text of the padding token, if the file does not declare it."
    )
    chat_template: str | None = Field(
        None, description="A file with a chat template that replaces the tokenizer's."
    )

    special_in_data: Literal["text", "token"] = Field(
        "text",
        description="Encoding of a row's text that equals a special token (`<s>`, `<|im_start|>`):"
        " ordinary text, or that token, which lets a row forge turns and ends.",
    )

    @model_validator(mode="after")
    def _one_of(self) -> TokenizerSpec:
        given = [x for x in (self.file, self.hub, self.train, self.bytes) if x is not None]
        if len(given) != 1:
            raise ValueError("a tokenizer needs exactly one of `file`, `hub`, `train` and `bytes`")
        if (self.train is None) != (self.vocab_size is None):
            raise ValueError("`train` needs `vocab_size`, and `vocab_size` needs `train`")
        return self


class Size(Strict):
    """How much to compile: exactly one of examples, tokens, target_tokens and passes."""

    examples: int | None = Field(None, ge=1, description="Number of examples.")
    tokens: int | None = Field(None, ge=1, description="Tokens of all examples, frame included.")
    target_tokens: int | None = Field(None, ge=1, description="Supervised tokens.")
    passes: float | None = Field(None, gt=0, description="Epochs over the (capped) rows of `over`.")
    over: str | None = Field(
        None,
        description="passes: name of a top-level member. Default: as many as no member repeats.",
    )

    @model_validator(mode="after")
    def _one_of(self) -> Size:
        given = [x for x in (self.examples, self.tokens, self.target_tokens, self.passes) if x]
        if len(given) != 1:
            raise ValueError("size needs exactly one of examples, tokens, target_tokens and passes")
        if self.over is not None and self.passes is None:
            raise ValueError("`over` needs `passes`")
        return self


class Frame(Strict):
    """The special tokens around an example's texts."""

    bos: bool = Field(False, description="Begin with the beginning token.")
    join: str | None = Field(
        None,
        description="Separator of prompt and target: `eos`, `none`, or white space such as "
        '" ", with which the target then begins. Decoder default: eos.',
    )
    eos: bool = Field(True, description="End a target (and an encoder's input) with eos.")

    @field_validator("join")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in ("eos", "none") and (value.strip() or not value):
            raise ValueError("join must be `eos`, `none` or white space in quotes")
        return value

    @property
    def text(self) -> str:
        """The text between prompt and target; it is learnt, as the beginning of the target."""
        return "" if self.join in (None, "eos", "none") else self.join


class Lengths(Strict):
    """Maximum tokens of packs and examples, special tokens included."""

    pack: int | None = Field(None, ge=8, description="decoder: tokens of a pack.")
    example: int | None = Field(
        None, ge=8, description="decoder: maximum tokens of an example. Default: pack."
    )
    input: int | None = Field(None, ge=4, description="encoder_decoder: input tokens of a pack.")
    target: int | None = Field(
        None,
        ge=4,
        description="encoder_decoder: target tokens of a pack. decoder: maximum of a target.",
    )
    example_input: int | None = Field(
        None, ge=4, description="encoder_decoder: maximum tokens of an input."
    )
    example_target: int | None = Field(
        None, ge=4, description="encoder_decoder: maximum tokens of a target."
    )


class Packing(Strict):
    """How examples are put into packs."""

    window: int = Field(
        100_000,
        ge=1,
        description="Number of examples packed at once: a larger window fills better, a smaller "
        "one keeps the order.",
    )
    max_examples: int | None = Field(None, ge=1, description="Maximum examples of a pack.")
    enabled: bool = Field(True, description="false: one example per pack.")


class Shards(Strict):
    """How the build is split into files."""

    packs: int = Field(65_536, ge=1, description="Maximum packs of a shard.")


class StyleChoice(Strict):
    """Styles to draw from, by id or glob."""

    options: tuple[str, ...] = Field(("*",), description="Option styles.")
    shots: tuple[str, ...] = Field(("*",), description="Few-shot layouts.")
    chat: tuple[str, ...] = Field(
        ("*",), description="Chat layouts; `tokenizer` is the tokenizer's chat template."
    )
    wrap: bool = Field(
        False,
        description="Also lay out ordinary examples as chats: the prompt as a user turn, the "
        "target as an assistant turn.",
    )


class EvalChoice(Strict):
    """Tasks compiled for evaluation under one arm: an evaluation set for each of them."""

    name: Identifier | None = Field(
        None,
        description="Name of the entry: its sets are called `TASK@NAME`. Default: the task alone, "
        "or the arm as name (`5shot`, `5shot_cot`) where several entries select the task.",
    )
    select: str = Field(description="Selector of the tasks.")
    split: str = Field(
        "validation", description="Split of the rows, unless the task's `eval` names its own."
    )
    shots: int = Field(0, ge=0, le=MAX_SHOTS, description="Exemplars in each prompt.")
    options: bool = Field(True, description="Whether prompts show the answer options.")
    cot: bool = Field(
        False,
        description="Whether to use templates with a chain of thought, if there are any.",
    )
    max_rows: int | None = Field(None, ge=1, description="Maximum rows of each task.")
    styles: StyleNames = Field(
        StyleNames(), description="Option styles and few-shot layouts of this entry only."
    )


class Recipe(Strict):
    """A file in recipes/: everything that determines a build's bytes."""

    recipe: str = Field(description="The recipe's id.")
    overrides: str | None = Field(
        None, description="The id of a library recipe that this replaces."
    )
    description: str | None = Field(
        None, description="Purpose of the build, for readers of the file."
    )
    mixture: str = Field(description="The id of the mixture to compile.")
    split: str = Field(
        "train", description="The split of each source that is compiled for training."
    )
    size: Size = Field(description="How many examples or tokens to compile.")
    tokenizer: TokenizerSpec = Field(
        description="The tokenizer: a file, a Hub repository, bytes, or one that is trained."
    )
    layout: Literal["decoder", "encoder_decoder"] = Field(
        description="One sequence for a decoder, or input and target apart."
    )
    lengths: Lengths = Field(description="Lengths of packs and examples, in tokens.")
    frame: Frame = Field(Frame(), description="Special tokens around prompt and target.")
    packing: Packing = Field(Packing(), description="How examples share packs.")
    shards: Shards = Field(Shards(), description="How the packs are cut into files.")
    styles: StyleChoice = Field(
        StyleChoice(),
        description="Which option styles, few-shot layouts and chat layouts are drawn.",
    )
    evaluate: tuple[EvalChoice, ...] = Field(
        (), description="Which tasks are compiled for evaluation, and in which arms."
    )
    hold_out_clusters: tuple[str, ...] = Field(
        (),
        description="Clusters kept out of the mixture, with those that go with them, and tasks "
        "that are tagged with their names.",
    )
    missing: Literal["error", "leave_out"] = Field(
        "error",
        description="Handling of tasks whose data is missing: stop, or leave them out "
        "and list them in the manifest.",
    )
    overlay: str | None = Field(None, description="The id of an overlay that locates the data.")
    seed: int = Field(0, ge=0, description="Seed of every draw.")

    @model_validator(mode="after")
    def _lengths_fit(self) -> Recipe:
        given: dict[str, Any] = self.lengths.model_dump(exclude_none=True)
        allowed = {
            "decoder": {"pack", "example", "target"},
            "encoder_decoder": {"input", "target", "example_input", "example_target"},
        }[self.layout]
        needed = {"decoder": {"pack"}, "encoder_decoder": {"input", "target"}}[self.layout]
        if extra := sorted(set(given) - allowed):
            raise ValueError(f"lengths of layout {self.layout} do not take {', '.join(extra)}")
        if missing := sorted(needed - set(given)):
            raise ValueError(f"lengths of layout {self.layout} need {', '.join(missing)}")
        for most, pack in _WITHIN.items():
            if most in given and given[most] > given[pack]:
                raise ValueError(f"lengths: {most} may be at most {pack}, which is {given[pack]}")
        if self.layout == "encoder_decoder" and self.frame.join not in (None, "none"):
            raise ValueError("layout encoder_decoder has no join: the two sides are apart")
        return self
