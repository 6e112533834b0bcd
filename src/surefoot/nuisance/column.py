"""An auxiliary model that the data bring: nothing is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surefoot.arrays import Floats
from surefoot.errors import DataError
from surefoot.judge.model import Answers, AuxiliaryModel, Conditions

if TYPE_CHECKING:
    from surefoot.data.references import References
    from surefoot.data.schema import Preferences


class GivenAuxiliary(AuxiliaryModel, kind="column"):
    """The data's own columns: `auxiliary` and, for references, `reference_auxiliary`."""

    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Answers:
        """Probabilities from the columns.

        Raises:
            DataError: a column is absent, or does not go with the references.
        """
        del conditions
        for name in ("auxiliary", *(["reference_auxiliary"] if references else [])):
            if not pairs.has(name):
                raise DataError(f"{pairs.name}: auxiliary is 'column', and there is no {name!r}.")
        if references is None:
            return Answers(pairs.numbers("auxiliary"))
        columns = [values for (values,) in pairs.read("reference_auxiliary")]
        sizes = np.bincount(references.sets)
        for row, (values, s) in enumerate(zip(columns, references.of.tolist(), strict=True)):
            if len(values or []) != sizes[s]:
                raise DataError(
                    f"{pairs.name}, row {row}: 'reference_auxiliary' holds {len(values or [])} "
                    f"number(s) for {sizes[s]} pair(s) of references."
                )

        def of(row: int) -> Floats:
            whole = np.full(len(references.pairs), np.nan)
            whole[references.sets == references.of[row]] = columns[row]
            return whole

        return Answers(pairs.numbers("auxiliary"), of)
