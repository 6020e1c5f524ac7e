"""Where the switches' values are kept: one small table, so every process and host reads the same."""

from datetime import datetime

from sqlalchemy import Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase
from shop.database.transactions import Database
from shop.switches import parameters
from shop.switches.registry import SWITCHES, is_unsafe, validate


class StoredSwitch(ModelBase):
    """A switch that was flipped away from its default."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SwitchStore:
    """Reads and writes the stored values.

    Args:
        database: where they are kept.
        allow_unsafe: whether values that exist only to be measured may be set (the lab profile).
    """

    def __init__(self, database: Database, *, allow_unsafe: bool) -> None:
        self._database = database
        self._allow_unsafe = allow_unsafe

    def load(self) -> dict[str, str]:
        """Return the flipped switches and, in the lab, the turned knobs, name to value.

        Outside the lab knobs and unsafe values are left out: a lab may have stored them in the same database.
        """
        with self._database.reading() as session:
            stored = dict(session.execute(select(StoredSwitch.name, StoredSwitch.value)).all())
        if self._allow_unsafe:
            return stored
        return {name: value for name, value in stored.items() if name in SWITCHES and not is_unsafe(name, value)}

    def set(self, name: str, value: str) -> None:
        """Flip one switch.

        Raises:
            InvalidFields: an unknown name, an unknown value, or an unsafe one where those are refused.
        """
        validate(name, value, allow_unsafe=self._allow_unsafe)
        self._keep(name, value)

    def set_parameter(self, name: str, value: float) -> None:
        """Turn one knob (see ``shop.switches.parameters``).

        Raises:
            InvalidFields: an unknown name, or a value outside its bounds.
        """
        parameters.validate(name, value)
        self._keep(name, repr(value))

    def _keep(self, name: str, value: str) -> None:
        row = insert(StoredSwitch).values(name=name, value=value)
        with self._database.transaction() as session:
            session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def reset(self, name: str | None = None) -> None:
        """Put one switch, or all of them, back to the default."""
        statement = delete(StoredSwitch)
        with self._database.transaction() as session:
            session.execute(statement if name is None else statement.where(StoredSwitch.name == name))
