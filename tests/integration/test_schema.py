from shop.db import Base, build_engine
from shop.schema import pending, upgrade
from shop.settings import load_settings


def test_migrating_twice_changes_nothing_the_second_time(new_database):
    engine = build_engine(load_settings(database_url=new_database("migrate", template=None)))
    first, second = upgrade(engine), upgrade(engine)
    engine.dispose()
    assert first
    assert second == []


def test_a_migrated_database_lacks_no_revision_and_no_table(database):
    with database.engine.connect() as connection:
        assert pending(connection) == []
        assert set(connection.dialect.get_table_names(connection)) >= set(Base.metadata.tables)
