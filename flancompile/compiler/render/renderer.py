"""The render pass: turn rows into drafts of examples, with every choice drawn.

`RenderSpec` determines the texts of a task, so its JSON is the larger part of an object's key. A
draft keeps its exemplars separate, as the tokenise pass may have to drop some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from flancompile.compiler.render.answers import accepted_answers
from flancompile.compiler.render.arms import ArmShares, Choice, choose, empty_targets
from flancompile.compiler.render.chat import (
    ChatLayout,
    Turn,
    chat_spans,
    exchange,
    turns_of,
)
from flancompile.compiler.render.exemplars import Pools
from flancompile.compiler.render.layout import Shot, gold_text, option_block, prompt_pieces
from flancompile.compiler.render.row_set import Options, RowSet
from flancompile.drop_reasons import DropReason, FewerShots
from flancompile.dsl.checks.ranking import can_be_ranked, gold_names
from flancompile.dsl.jinja.conclusion import answer_names
from flancompile.dsl.jinja.expression import (
    RowError,
    compile_expression,
    compile_template,
    without_slot,
)
from flancompile.dsl.models.style import ChatStyle, OptionStyle, ShotsStyle
from flancompile.dsl.models.task import Task
from flancompile.dsl.models.task import Template as TaskTemplate

_UNREAD_OF_STYLES = {"tags", "only_where_named"}
Texts = tuple[str, str]  # input and target

__all__ = ["Draft", "RenderSpec", "Renderer", "hidden"]


@dataclass(frozen=True)
class RenderSpec:
    """Everything that determines a task's texts, except the rows. Picklable.

    chat_styles: layouts for dialogues; wrap: whether ordinary examples use them too; join: white
    space at the beginning of a target that is not in a chat.
    """

    task_id: str
    task: Task
    option_styles: Mapping[str, OptionStyle]
    shots_styles: Mapping[str, ShotsStyle]
    shares: ArmShares
    seed: int
    templates: tuple[int, ...]
    variable: tuple[str, Any] | None = None
    chat_styles: Mapping[str, ChatLayout] = field(default_factory=dict)
    wrap: bool = False
    join: str = ""

    def as_json(self) -> dict[str, Any]:
        """JSON values, without settings that change no text (tags, clusters, rungs, metrics)."""
        unread = {"tags", "rungs", "cluster", "description", "eval", "inverted", "allow"}
        unread |= {"styles"}  # those that they name are here
        few = any(k > 0 for k, _ in self.shares.shots)
        zero = any(k == 0 for k, _ in self.shares.shots) or few
        shots = {
            k: v.model_dump(exclude=_UNREAD_OF_STYLES)
            for k, v in self.shots_styles.items()
            if (v.when != "zero" or zero) and (v.when != "few" or few)
        }
        options = {
            k: v.model_dump(exclude=_UNREAD_OF_STYLES) for k, v in self.option_styles.items()
        }
        return {
            "task_id": self.task_id,
            "task": self.task.model_dump(mode="json", exclude=unread),
            "option_styles": options if self.shares.options[0] else {},
            "shots_styles": shots,
            "shares": [list(self.shares.shots), self.shares.options, self.shares.cot],
            "seed": self.seed,
            "templates": self.templates,
            "variable": self.variable,
            **({"chat": chats, "wrap": self.wrap} if (chats := self._chats()) else {}),
            **({"join": self.join} if self.join else {}),
        }

    def layout_of(self, draft: Draft) -> ChatLayout | None:
        """The chat layout of a draft; None if it has none."""
        return None if draft.chat_style is None else self.chat_styles[draft.chat_style]

    def _chats(self) -> dict[str, Any]:
        return {
            k: v.model_dump(exclude=_UNREAD_OF_STYLES) if isinstance(v, ChatStyle) else v.as_json()
            for k, v in self.chat_styles.items()
        }


@dataclass
class Draft:
    """An example before tokenising, from which exemplars or exchanges may still be dropped.

    A dialogue has `turns` and no other text; an ordinary example with a `chat_style` becomes a chat
    of one exchange.
    """

    row: int
    choice: Choice
    option_style: str | None
    input: str
    target: str
    shots: list[Shot] = field(default_factory=list)
    exemplars: list[int] = field(default_factory=list)
    instruction: str | None = None
    few_style: str | None = None
    zero_style: str = ""
    options: Options | None = None
    shortened: dict[str, object] | None = None
    turns: tuple[Turn, ...] = ()
    chat_style: str | None = None
    fewer_shots: FewerShots | None = None

    @property
    def shots_style(self) -> str:
        """The prompt layout for the remaining shots or turns."""
        if self.turns:
            return str(self.chat_style)
        return self.few_style if self.shots and self.few_style is not None else self.zero_style

    def pieces(self, styles: Mapping[str, ShotsStyle]) -> tuple[str, ...]:
        """The prompt's pieces in the draft's present state."""
        return prompt_pieces(styles[self.shots_style], self.shots, self.input, self.instruction)

    def texts(self, spec: RenderSpec) -> tuple[str, ...]:
        """The texts of the draft in its present state, alternately without and with loss.

        Raises RowError if a chat layout rejects them.
        """
        layout, turns = spec.layout_of(self), self.turns
        if not turns:
            prompt = "".join(self.pieces(spec.shots_styles))
            if layout is None:
                return prompt, spec.join + self.target
            turns = exchange(prompt, self.target)
        assert layout is not None
        return chat_spans(layout, turns)


class Renderer:
    """Drafts of one block, in the rows' order; `reasons` collects the rows without a draft.

    dropped: rows that may not be used (reserved for exemplars, for example), each with its reason;
    only: the rows to render, ascending; evaluated: the rows are queries of an evaluation, whose
    rationales may be missing: their targets are then the answers alone.
    """

    def __init__(
        self,
        spec: RenderSpec,
        rows: RowSet,
        pools: Pools,
        dropped: Mapping[int, str],
        only: Sequence[int] | None = None,
        *,
        evaluated: bool = False,
    ) -> None:
        self.spec, self.rows, self.pools, self.evaluated = spec, rows, pools, evaluated
        self.reasons: dict[int, str] = dict(dropped)
        self.left_out: Counter[str] = Counter()  # parts of messages that their turns' texts omit
        self.only = range(len(rows)) if only is None else only
        self._texts: dict[tuple[int, int, int, str | None], Texts | str] = {}
        self._option_ids = sorted(spec.option_styles)
        styles = spec.shots_styles
        self._zero_ids = [s for s in sorted(styles) if styles[s].when != "few"]
        self._few_ids = [s for s in sorted(styles) if styles[s].when != "zero"]
        self._chat_ids = sorted(spec.chat_styles)

    def __iter__(self) -> Iterator[Draft]:
        choices = choose(
            self.rows, self.spec.shares, self.spec.templates, self.only, evaluated=self.evaluated
        )
        for row, choice in zip(self.only, choices, strict=True):
            if row in self.reasons:
                continue
            try:
                yield self._draft(row, choice)
            except RowError as error:
                self.reasons[row] = str(error)

    def retext(self, draft: Draft, fields: Mapping[str, object]) -> tuple[str, str | None]:
        """The draft's input and instruction with some fields replaced by shortened ones.

        Raises RowError.
        """
        task, style = self.spec.task, self.spec.option_styles.get(draft.option_style or "")
        template = task.templates[draft.choice.template]
        fields = {n: fields[n] for n in task.truncate if n in fields}
        unchanged = _unchanged_names(task, template)
        context = self.rows.shortened(draft.row, template, fields, unchanged)
        if style is None and "gold" in compile_template(template.target).names:
            context["gold"] = draft.target  # the target is unchanged; only the input is needed
        text = self._input_of(context, template, style, draft.options)
        if task.instruction is None:
            return text, None
        shorter = self.rows.shortened(draft.row, None, fields, unchanged)
        return text, compile_template(task.instruction).render(shorter)

    def candidates(self, draft: Draft) -> tuple[list[str] | None, int | None]:
        """The target under each option, and the right one's index; (None, None) without options."""
        template = self.spec.task.templates[draft.choice.template]
        choices = template.choices or self.spec.task.choices
        if choices is None or not can_be_ranked(self.spec.task, template):
            return None, None
        style = self.spec.option_styles[draft.option_style] if draft.option_style else None
        target, context = compile_template(template.target), self.rows.context(draft.row, template)
        fields = gold_names(choices) - {"gold"}
        texts = []
        try:
            options = self.rows.options(draft.row, choices)
            for index, option in enumerate(options.texts):
                context |= dict.fromkeys(fields, option)
                context["gold"] = gold_text(style, options.texts, index)
                texts.append(replace(draft, target=target.render(context)).texts(self.spec)[-1])
        except RowError:
            return None, None
        return texts, options.gold

    def _draft(self, row: int, choice: Choice | str) -> Draft:
        if isinstance(choice, str):
            raise RowError(choice)
        task, template = self.spec.task, self.spec.task.templates[choice.template]
        if task.where is not None and not compile_expression(task.where)(self.rows.fields(row)):
            raise RowError(DropReason.WHERE)
        if template.turns is not None:
            turns = turns_of(self.rows.context(row, template), template.turns)
            self.left_out.update(name for turn in turns for name in turn.left_out)
            chat = self._drawn("chat layout", self._chat_ids, row)
            fewer = FewerShots.DIALOGUE if choice.shots > 0 else None
            return Draft(row, choice, None, "", "", turns=turns, chat_style=chat, fewer_shots=fewer)
        style = self._drawn("option style", self._option_ids, row) if choice.options else None
        text, target = self._example(self.rows, row, choice.template, style)
        draft = Draft(row, choice, style, text, target)
        if style is not None:
            choices = template.choices or task.choices
            draft.options = self.rows.options(row, choices) if choices is not None else None
        if task.instruction is not None:
            instruction = compile_template(task.instruction)
            draft.instruction = instruction.render(self.rows.context(row))
        draft.zero_style = self._drawn("zero layout", self._zero_ids, row)
        if choice.shots > 0 and self._few_ids:
            draft.few_style = self._drawn("few layout", self._few_ids, row)
            self._add_shots(draft)
        elif choice.shots > 0:
            draft.fewer_shots = FewerShots.NO_LAYOUT
        if self.spec.wrap:
            draft.chat_style = self._drawn("chat layout", self._chat_ids, row)
        return draft

    def _drawn(self, purpose: str, ids: Sequence[str], row: int) -> str:
        return ids[int(self.rows.bits(purpose)[row]) % len(ids)]

    def _add_shots(self, draft: Draft) -> None:
        pool = self.pools.of(self.rows, draft.row)
        for candidate in pool.candidates(self.rows, draft.row, draft.choice.shots):
            if len(draft.shots) == draft.choice.shots:
                break
            try:
                shot = self._example(
                    pool.rows,
                    candidate,
                    draft.choice.template,
                    draft.option_style,
                    as_exemplar=True,
                )
                rationale = pool.rationale(candidate)
            except RowError:
                continue
            draft.shots.append((*shot, rationale))
            draft.exemplars.append(int(pool.rows.digests[candidate]))
            pool.take(candidate)
        if len(draft.shots) < draft.choice.shots:
            draft.fewer_shots = FewerShots.TOO_FEW

    def _example(
        self, rows: RowSet, row: int, index: int, style_id: str | None, as_exemplar: bool = False
    ) -> Texts:
        """(input, target) of a row under a template. as_exemplar: for an exemplar."""
        key = (id(rows), row, index, style_id)
        if key not in self._texts:
            try:
                self._texts[key] = self._rendered(rows, row, index, style_id)
            except RowError as error:
                self._texts[key] = str(error)
        found = self._texts[key]
        if isinstance(found, str):
            raise RowError(found)
        if as_exemplar:
            self._check_exemplar(rows, row, self.spec.task.templates[index])
        return found

    def _check_exemplar(self, rows: RowSet, row: int, template: TaskTemplate) -> None:
        where = self.spec.task.where
        if where is not None and not compile_expression(where)(rows.fields(row)):
            raise RowError(DropReason.WHERE)
        if not rows.applies(row, template) or empty_targets(rows, row, template):
            raise RowError(DropReason.TEMPLATE_CONDITION)

    def _rendered(self, rows: RowSet, row: int, index: int, style_id: str | None) -> Texts:
        task, template = self.spec.task, self.spec.task.templates[index]
        choices = template.choices or task.choices
        context = rows.context(row, template)
        missing = empty_targets(rows, row, template) if self.evaluated and template.cot else ()
        no_answer = bool(set(missing) & answer_names(template.target))
        instead = self._first_answer(rows, row) if no_answer else ""
        if style_id is not None and choices is not None:
            style = self.spec.option_styles[style_id]
            options = rows.options(row, choices)
            return self._texts_of(context, template, style, options, missing, instead)
        if choices is not None and "gold" in compile_template(template.target).names:
            context["gold"] = rows.gold(row, choices)
        return self._texts_of(context, template, None, None, missing, instead)

    def _first_answer(self, rows: RowSet, row: int) -> str:
        """The first accepted answer of an evaluation row; "" if there is none. Raises RowError."""
        answers = accepted_answers(self.spec.task, rows.fields(row)) or ()
        return next((text for text in answers if text.strip()), "")

    def _texts_of(
        self,
        context: dict[str, object],
        template: TaskTemplate,
        style: OptionStyle | None,
        options: Options | None,
        missing: Sequence[str] = (),
        instead: str = "",
    ) -> Texts:
        """(input, target) over a context; missing values print as nothing in the target.

        instead: the target of an evaluation row with accepted answers and without a rationale.
        """
        text = self._input_of(context, template, style, options)
        target = compile_template(template.target).render(context | dict.fromkeys(missing, ""))
        target = instead or (target.strip() if missing else target)
        if not target.strip():
            raise RowError(DropReason.EMPTY_TARGET)
        return text, target

    def _input_of(
        self,
        context: dict[str, object],
        template: TaskTemplate,
        style: OptionStyle | None,
        options: Options | None,
    ) -> str:
        """The input over a context, with `gold` and `options` added."""
        if style is not None and options is not None:
            context["gold"] = gold_text(style, options.texts, options.gold)
            context["options"] = option_block(style, options.texts)
        else:
            context["options"] = ""
        source = template.input if style is not None else hidden(template.input)
        text = compile_template(source).render(context)
        if not text.strip():
            raise RowError(DropReason.EMPTY_INPUT)
        return text


@lru_cache(maxsize=65_536)
def hidden(text: str) -> str:
    """The text of an input in the arm without options."""
    return without_slot(text, "options")


def _unchanged_names(task: Task, template: TaskTemplate) -> frozenset[str]:
    """The `let` names that the target or the choices read; shortened fields don't change them."""
    let = {**task.let, **template.let}
    choices = template.choices or task.choices
    texts = [] if choices is None else [choices.options, choices.labels, choices.gold]
    names = set(compile_template(template.target).names)
    names.update(*(compile_expression(t).names for t in texts if isinstance(t, str)))
    while more := {n for m in names & set(let) for n in compile_expression(let[m]).names} - names:
        names |= more
    return frozenset(names & set(let))
