"""Base class of all parts of an experiment and of a load plan: immutable, and an unknown key is an error."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """An immutable model that refuses unknown keys, since such a key is a mistake in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def with_changes(self, **changes: Any) -> Self:
        """Return a changed copy, validated again.

        Raises:
            ValidationError: the changed fields do not fit.
        """
        return self.model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})
