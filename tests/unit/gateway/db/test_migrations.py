"""What an earlier gateway wrote is understood by this one."""

from importlib.resources import files

from alembic import command
from alembic.config import Config

from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Settlement
from gateway.contract.states import Outcome
from gateway.domain.received import Sender


def test_an_arrival_that_lost_all_its_objects_before_the_upgrade_is_held_back_no_more(database, arrivals, receive):
    for number in (1, 2):
        receive(uid=f"1.{number}", study=f"2.{number}", content=b"object %d" % number)
        arrivals.complete(ArrivalId(number), actor="test")
        settlement = Settlement(outcome=Outcome.quarantined, reason="No study fits.")
        arrivals.settle(ArrivalId(number), settlement, actor="flows")
    receive(uid="1.1", study="2.1", content=b"object 1", sender=Sender("OTHER", "COHORTFLOW"))
    before = arrivals.get(ArrivalId(1))
    config = Config()
    config.set_main_option("script_location", str(files("gateway").joinpath("db", "migrations")))
    config.set_main_option("version_table", "gateway_version")
    for step, revision in ((command.downgrade, "0004"), (command.upgrade, "0005")):
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)
    assert arrivals.get(ArrivalId(1)) == before
    assert before.dismissed_reason == before.reason == "All of its objects were sent again and are now in arrival 3."
    assert [entry.arrival.id for entry in arrivals.quarantine().items] == [2]
