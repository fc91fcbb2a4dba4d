"""What an earlier governor wrote is understood by this one."""

from importlib.resources import files

from alembic import command
from alembic.config import Config


def test_a_note_that_images_carry_no_date_becomes_what_it_says_and_back(database, house):
    arrived = house.new_session(label="s1", scandate_is_arrival=True)
    noted = house.new_session(label="s2", freetext="A note of somebody.")
    config = Config()
    config.set_main_option("script_location", str(files("study_governor").joinpath("db", "migrations")))
    config.set_main_option("version_table", "study_governor_version")

    def rows(columns):
        with database.read() as uow:
            query = f"select id, freetext, {columns} from experiment order by id"
            return [tuple(row) for row in uow.session.connection().exec_driver_sql(query)]

    def run(step, revision):
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)

    run(command.downgrade, "0002")
    said = "The images carry no date; the day of their arrival stands in its place."
    assert rows("site") == [(arrived, said, None), (noted, "A note of somebody.", None)]
    run(command.upgrade, "0003")
    assert rows("scandate_is_arrival") == [(arrived, None, 1), (noted, "A note of somebody.", 0)]
