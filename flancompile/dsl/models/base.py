"""Base class of the language's models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Expression", "Identifier", "Strict", "TemplateText"]


class Strict(BaseModel):
    """Frozen model that refuses unknown keys, so that misspelt keys are never ignored."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_\-]*$")]
Expression = Annotated[
    str, Field(description='A Jinja expression over the row, such as `title | replace("_", " ")`.')
]
TemplateText = Annotated[
    str, Field(description="Jinja template text over the task's fields; kept exactly as written.")
]
