"""How much of anything is taken in. Beyond it stands one message that names place and limit."""

from __future__ import annotations

_MIB = 2**20

#: Bytes of one row: a line, an item of a JSON array, a record of a CSV file, a row of Parquet.
#: As text that is some four million tokens, more than any model reads.
ROW_BYTES = 16 * _MIB

#: Levels of lists and mappings inside each other, in a row, a cell or a configuration.
DEPTH = 64

#: Columns of a file.
COLUMNS = 10_000

#: Characters in the name of a column or of an option.
NAME_LENGTH = 1_000

#: Bytes of a configuration.
CONFIGURATION_BYTES = 256 * 1024

#: Values in a configuration, those that aliases repeat included.
CONFIGURATION_VALUES = 20_000

#: Characters of a number.
NUMBER_LENGTH = 400

#: Characters of a text that is an option, such as a path.
OPTION_TEXT_LENGTH = 20_000

#: Whole numbers that an option may be, on both sides of 0: what generators take as a seed.
LARGEST_NUMBER = 2**32 - 1

#: Bytes of a file that is held whole (a part of a suite), unpacked.
FILE_BYTES = 512 * _MIB


def size(count: int) -> str:
    """Bytes in words.

    >>> size(16 * 2**20), size(300), size(256 * 1024)
    ('16 MiB', '300 bytes', '256 KiB')
    """
    for unit, name in ((_MIB, "MiB"), (1024, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


TOO_LARGE = f"larger than {size(ROW_BYTES)}, the most that a row may have"
TOO_DEEP = f"nested too deeply: more than {DEPTH} levels"
