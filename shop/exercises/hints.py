"""The three graded hints of an exercise, read from ``hints.md``.

The first hint depends on what failed: below its heading ``## 1``, a heading ``### name`` begins the text for one check.
"""

import re

from shop.errors import ConfigurationError
from shop.exercises.definition import HINTS, ExerciseDefinition

LEVELS = 3
_HINT = re.compile(r"^## (?P<level>.*)$")
_AFTER = re.compile(r"^### (?P<check>.*)$")


class HintList:
    """The hints of one exercise.

    Args:
        definition: the exercise.

    Raises:
        ConfigurationError: the file has other headings than ``## 1`` to ``## 3`` and the names of checks.
    """

    def __init__(self, definition: ExerciseDefinition) -> None:
        self._texts: dict[tuple[int, str], list[str]] = {}
        checks = {check.name for check in definition.checks}
        level, after = 0, ""
        for number, line in enumerate(definition.page(HINTS).splitlines(), start=1):
            place = f"{definition.folder / HINTS}:{number}"
            if match := _HINT.match(line):
                level, after = level + 1, ""
                if match["level"] != str(level) or level > LEVELS:
                    raise ConfigurationError(f"{place}: {line}: the headings are ## 1, ## 2 and ## 3, in this order.")
            elif match := _AFTER.match(line):
                after = match["check"]
                if level != 1 or after not in checks:
                    raise ConfigurationError(f"{place}: {line}: below ## 1, a heading ### names a check.")
            elif level:
                self._texts.setdefault((level, after), []).append(line)
        missing = [number for number in range(1, LEVELS + 1) if not self._text(number, "")]
        if missing:
            raise ConfigurationError(f"{definition.folder / HINTS}: hint {missing[0]} is missing.")

    def hint(self, level: int, failed_check: str) -> str:
        """Return one hint.

        Args:
            level: 1 to 3; a higher level gives the last hint.
            failed_check: the check at which the last attempt failed; empty if there is none.
        """
        level = min(level, LEVELS)
        return self._text(level, failed_check) or self._text(level, "")

    def is_new_for(self, failed_check: str, hinted_check: str) -> bool:
        """Return whether the check that failed has a first hint of its own which the reader has not just seen.

        Args:
            failed_check: the check at which the last attempt failed; empty if there is none.
            hinted_check: the check for which the first hint was shown last; empty if there is none.
        """
        return failed_check != hinted_check and bool(self._text(1, failed_check)) and failed_check != ""

    def _text(self, level: int, after: str) -> str:
        return "\n".join(self._texts.get((level, after), [])).strip()
