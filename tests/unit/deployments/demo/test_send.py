"""Images are sent over real associations; what was not confirmed is sent again."""

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage, Verification

from deployments.demo import send
from deployments.demo.prepare import OutgoingSession
from deployments.errors import SendFailed
from deployments.launcher.ports import free_port
from tests.associations import collect_associations

pytestmark = pytest.mark.slow  # it starts real processes or associations

# pynetdicom leaves the socket of a refused connection unclosed
refused = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def session(tmp_path, image, content_of):
    for number in range(3):
        image.SOPInstanceUID = f"2.25.{number + 1}"
        (tmp_path / f"{number}.dcm").write_bytes(content_of(image))
    return OutgoingSession("BV-001", "2.25.9", tmp_path)


@pytest.fixture
def receiver():
    """Start a receiver that gives the statuses in turn, then Success; None ends the association instead."""
    servers = []

    def start(*statuses):
        waiting, received = list(statuses), []

        def store(event):
            status = waiting.pop(0) if waiting else 0x0000
            if status is None:
                event.assoc.dul.socket.close()  # as when the receiver's process is killed
                return 0xA700
            if status == 0x0000:
                received.append(event.request.AffectedSOPInstanceUID)
            return status

        ae = AE(ae_title="COHORTFLOW")
        ae.add_supported_context(MRImageStorage)
        ae.add_supported_context(Verification)
        port = free_port()
        servers.append(ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]))
        return {"host": "127.0.0.1", "port": port, "ae_title": "COHORTFLOW"}, received

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(send, "PAUSE_S", 0.0)
    monkeypatch.setattr(send, "ANSWER_TIMEOUT_S", 1.0)
    yield
    collect_associations()


def test_every_object_is_sent_once(session, receiver):
    address, received = receiver()
    progress = []
    assert send.send_session(session, **address, on_sent=progress.append) == 3
    assert sorted(received) == ["2.25.1", "2.25.2", "2.25.3"]
    assert progress == [1, 2, 3]


def test_what_arrives_is_what_was_prepared(session, receiver):
    address, received = receiver()
    send.send_session(session, **address)
    assert {dcmread(path).SOPInstanceUID for path in session.files()} == set(received)


@pytest.mark.parametrize("trouble", [[0x0000, 0xA700], [0x0000, None]])
def test_what_was_not_confirmed_is_sent_again(session, receiver, trouble):
    address, received = receiver(*trouble)
    assert send.send_session(session, **address) == 3
    assert set(received) == {"2.25.1", "2.25.2", "2.25.3"}


def test_objects_that_are_never_taken_are_one_sentence(session, receiver):
    address, _ = receiver(*[0xA700] * 20)
    with pytest.raises(SendFailed, match="3 of 3 left, status 0xA700"):
        send.send_session(session, **address)


@refused
def test_a_receiver_that_is_not_there_is_one_sentence(session):
    with pytest.raises(SendFailed, match="no association"):
        send.send_session(session, host="127.0.0.1", port=free_port(), ae_title="COHORTFLOW")


@refused
def test_an_echo_says_whether_the_receiver_answers(receiver):
    address, _ = receiver()
    assert send.echo(**address)
    assert not send.echo(host="127.0.0.1", port=free_port(), ae_title="COHORTFLOW")
