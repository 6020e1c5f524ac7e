from shop.orders.models import Order
from shop.payments.models import Payment
from shop.payments.seeding import seed_charges
from shop.payments.simulator.ledger import FILE, ProviderLedger


def _seeded(session, number, status="charged", amount=5):
    order = Order(
        public_id=f"ord_{number}", number=f"S-{number}", email="robin@example.org", total_amount=amount, address={}
    )
    session.add(order)
    session.flush()
    key = f"dataset-{number}"
    session.add(Payment(order_id=order.id, charge_key=key, provider_id=f"ch_{number}", amount=amount, status=status))


def test_seeded_charge_can_be_refunded(database, settings, tmp_path):
    mine = settings.model_copy(update={"var_dir": tmp_path})
    with database.transaction() as session:
        _seeded(session, 1)
        _seeded(session, 2, status="refunded")
    seed_charges(mine)
    books = ProviderLedger(tmp_path / FILE)
    assert [charge["id"] for charge in books.charges_with_key("dataset-1")] == ["ch_1"]
    assert books.charges_with_key("dataset-2") == []


def test_an_order_that_came_to_nothing_has_no_charge(database, settings, tmp_path):
    mine = settings.model_copy(update={"var_dir": tmp_path})
    with database.transaction() as session:
        _seeded(session, 1, amount=0)
        _seeded(session, 2)
    seed_charges(mine)
    books = ProviderLedger(tmp_path / FILE)
    assert [len(books.charges_with_key(f"dataset-{number}")) for number in (1, 2)] == [0, 1]


def test_handing_over_twice_enters_each_charge_once(database, settings, tmp_path):
    mine = settings.model_copy(update={"var_dir": tmp_path})
    with database.transaction() as session:
        _seeded(session, 1)
    seed_charges(mine)
    with database.transaction() as session:
        _seeded(session, 3)
    seed_charges(mine)
    books = ProviderLedger(tmp_path / FILE)
    assert [len(books.charges_with_key(f"dataset-{number}")) for number in (1, 3)] == [1, 1]


def test_charges_of_earlier_data_set_are_corrected(database, settings, tmp_path):
    mine = settings.model_copy(update={"var_dir": tmp_path})
    books = ProviderLedger(tmp_path / FILE)
    books.import_charges([("ch_1", "dataset-1", 99, "EUR"), ("ch_2", "dataset-2", 99, "EUR")])
    with database.transaction() as session:
        _seeded(session, 1)
        _seeded(session, 3)
    seed_charges(mine)
    assert [charge["amount"] for charge in books.charges_with_key("dataset-1")] == [5]
