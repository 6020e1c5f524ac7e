"""The stored values of the switches: one small table, which every process of every host reads."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Text, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase
from shop.database.transactions import Database
from shop.switches import parameters
from shop.switches.attempt_slots import OWN_SWITCH, STORE, AttemptSlots, is_attempt, stored_value
from shop.switches.registry import SWITCHES, PatternSwitch, is_unsafe, list_switches, validate


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
        slots: of the begun exercises, whose switches take ``attempt``; ``None`` if they may not be set here.
    """

    def __init__(self, database: Database, *, allow_unsafe: bool, slots: AttemptSlots | None = None) -> None:
        self._database = database
        self._allow_unsafe = allow_unsafe
        self._slots = slots if allow_unsafe else None

    def switches(self) -> dict[str, PatternSwitch]:
        """Return every switch by name, with the values that it takes now."""
        return list_switches(self._slots.load() if self._slots else {})

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
        is_own = name.startswith(OWN_SWITCH)
        if is_own and value == STORE and name in self.switches():
            self.reset(name)
        elif is_attempt(value) and self._slots is not None and (is_own or name in SWITCHES):
            self._upsert(name, stored_value(self._slots.publish(name)))
        else:
            validate(name, value, allow_unsafe=self._allow_unsafe)
            self._upsert(name, value)

    def replace(self, name: str, expected: str, value: str | None) -> bool:
        """Replace the stored value of a switch, unless it has changed meanwhile.

        Args:
            name: of the switch.
            expected: its stored value.
            value: the new one; ``None`` for the default.

        Returns:
            Whether it was replaced.
        """
        is_same = (StoredSwitch.name == name, StoredSwitch.value == expected)
        removal = delete(StoredSwitch).where(*is_same).returning(StoredSwitch.name)
        change = update(StoredSwitch).where(*is_same).values(value=value).returning(StoredSwitch.name)
        with self._database.transaction() as session:
            return session.execute(removal if value is None else change).first() is not None

    def set_parameter(self, name: str, value: float) -> None:
        """Set one parameter (see ``shop.switches.parameters``).

        Raises:
            InvalidFields: an unknown name, or a value outside its bounds.
        """
        parameters.validate(name, value)
        self._upsert(name, repr(value))

    def changed_at(self, names: Collection[str]) -> dict[str, datetime]:
        """Return when each of these switches was set last; a switch that has its default is left out.

        Args:
            names: of switches.
        """
        if not names:
            return {}
        rows = select(StoredSwitch.name, StoredSwitch.updated_at).where(StoredSwitch.name.in_(names))
        with self._database.reading() as session:
            return dict(session.execute(rows).all())

    def _upsert(self, name: str, value: str) -> None:
        row = insert(StoredSwitch).values(name=name, value=value)
        with self._database.transaction() as session:
            session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def reset(self, name: str | None = None) -> None:
        """Set one switch, or all switches and parameters, back to the default."""
        statement = delete(StoredSwitch)
        with self._database.transaction() as session:
            session.execute(statement if name is None else statement.where(StoredSwitch.name == name))
