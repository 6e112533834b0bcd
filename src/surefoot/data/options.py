"""How data are read: the options that the configuration, the command line and Python share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from surefoot.data.labels.codings import parse_coding
from surefoot.options import Options
from surefoot.paths import FILES


class FileReading(Options):
    """How files of comparisons or of prompts are read."""

    title: ClassVar[str] = "the options of reading"

    columns: dict[str, str] = Field({})
    """Your column names by the contract's: `{prompt: question, response_a: better, ...}`. An empty
    name says that your column of that name is another thing: `{source: ''}`."""
    codings: dict[str, Any] = Field({})
    """How label columns are coded, where their values leave it open: `{label: first-is-0}`, or what
    each value stands for, `{label: '1:a,2:b,3:tie'}`."""
    texts: Annotated[list[str], FILES] = Field([])
    """Files of texts by id (columns `id` and `text`), where comparisons hold ids of prompts or
    responses; they are held in memory."""
    on_error: Literal["skip", "fail"] = "skip"
    """Rows that cannot be read: counted and skipped, or fatal."""
    max_unusable: float = Field(0.05, ge=0, le=1)
    """Share of the rows of a file that may be unusable; with more it is an error. Rows that only
    lack a label are not among them."""

    def reading(self) -> dict[str, Any]:
        """Options of reading by name, as functions that read take them."""
        names = ReadingOptions.model_fields.keys() & type(self).model_fields.keys()
        return {name: getattr(self, name) for name in names}

    @field_validator("codings", mode="after")
    @classmethod
    def _known(cls, codings: Mapping[str, Any]) -> Mapping[str, Any]:
        for column, coding in codings.items():
            parse_coding(coding, column)
        return codings


class ReadingOptions(FileReading):
    """How files of comparisons are read."""

    no_prompt: bool = False
    """The data have no prompt: none is asked for, and none is implied by a common beginning."""
