"""The stored values of the switches: one small table, which every process of every host reads."""

from datetime import datetime

from sqlalchemy import Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase
from shop.database.transactions import Database
from shop.switches import parameters
from shop.switches.registry import SWITCHES, is_unsafe, validate


class StoredSwitch(ModelBase):
    """A switch or parameter that was set."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SwitchStore:
    """Reads and writes the stored values.

    Args:
        database: holds them.
        allow_unsafe: whether values that exist only for measurements may be set (the lab profile).
    """

    def __init__(self, database: Database, *, allow_unsafe: bool) -> None:
        self._database = database
        self._allow_unsafe = allow_unsafe

    def load(self) -> dict[str, str]:
        """Return the values of the switches and, in the lab, of the parameters that were set, by name.

        Outside the lab, parameters and unsafe values are left out: a lab may have stored them in the same database.
        """
        with self._database.reading() as session:
            stored = dict(session.execute(select(StoredSwitch.name, StoredSwitch.value)).all())
        if self._allow_unsafe:
            return stored
        return {name: value for name, value in stored.items() if name in SWITCHES and not is_unsafe(name, value)}

    def set(self, name: str, value: str) -> None:
        """Set one switch.

        Raises:
            InvalidFields: an unknown name, an unknown value, or an unsafe one where those are refused.
        """
        validate(name, value, allow_unsafe=self._allow_unsafe)
        self._upsert(name, value)

    def set_parameter(self, name: str, value: float) -> None:
        """Set one parameter (see ``shop.switches.parameters``).

        Raises:
            InvalidFields: an unknown name, or a value outside its bounds.
        """
        parameters.validate(name, value)
        self._upsert(name, repr(value))

    def _upsert(self, name: str, value: str) -> None:
        row = insert(StoredSwitch).values(name=name, value=value)
        with self._database.transaction() as session:
            session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def reset(self, name: str | None = None) -> None:
        """Set one switch, or all switches and parameters, back to the default."""
        statement = delete(StoredSwitch)
        with self._database.transaction() as session:
            session.execute(statement if name is None else statement.where(StoredSwitch.name == name))
