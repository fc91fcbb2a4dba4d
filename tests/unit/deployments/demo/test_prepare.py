"""Sessions are prepared once, from a folder or from an archive."""

import hashlib
import io
import json
import stat
import tarfile
import zipfile

import pytest

from deployments.demo import prepare, scans
from deployments.demo.prepare import prepare_bundled, prepare_own
from deployments.errors import NothingToSend
from deployments.launcher.home import Home


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def archive(tmp_path, image, content_of):
    """Make an archive of the form of the real one, with one image a session and two pictures beside it."""
    inner = io.BytesIO()
    image.StudyInstanceUID = "1.9"
    with zipfile.ZipFile(inner, "w") as content:
        content.writestr("ANONYMIZ/scans/6/DICOM/a.dcm", content_of(image))
        content.writestr("ANONYMIZ/scans/6/SNAPSHOTS/a.gif", b"GIF89a")
    image.StudyInstanceUID = "1.8"
    members = {"Case001/scans/1/DICOM/a.dcm": content_of(image), "ANONYMIZ.zip": inner.getvalue(), "other.txt": b"x"}
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo("xnat-0.8.1/xnat/tests/resources/" + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_both_sessions_of_the_archive_become_coded_subjects(home, archive):
    prepared = prepare_bundled(home, lambda: archive)
    assert [session.subject for session in prepared.sessions] == ["BV-001", "BV-002"]
    assert [len(session.files()) for session in prepared.sessions] == [1, 1]
    assert prepared.left_out == {}, "pictures of the archive beside the images are no part of it"


def test_a_second_preparation_fetches_nothing_and_gives_the_same(home, archive):
    first = prepare_bundled(home, lambda: archive)
    contents = [path.read_bytes() for session in first.sessions for path in session.files()]

    def fetch():
        raise AssertionError("nothing should be fetched")

    second = prepare_bundled(home, fetch)
    assert second == first
    assert [path.read_bytes() for session in second.sessions for path in session.files()] == contents


def test_a_preparation_that_was_cut_short_is_done_again(home, archive, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare_bundled(home, lambda: archive)
    assert len(prepare_bundled(home, lambda: archive).sessions) == 2


def test_own_scans_get_codes_and_who_is_who_stays_private(home, tmp_path, image, content_of, names):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "IM1").write_bytes(content_of(image))
    image.PatientID, image.StudyInstanceUID = "ANOTHER", "1.7"
    (folder / "IM2").write_bytes(content_of(image))
    prepared = prepare_own(home, folder)
    assert sorted(session.subject for session in prepared.sessions) == ["OWN-001", "OWN-002"]
    book = home.private / "codes.json"
    assert stat.S_IMODE(book.stat().st_mode) == 0o600
    assert "PAT4711|" in json.loads(book.read_text())["codes"]
    for path in (home.path / "outgoing").rglob("*"):
        assert not any(name.lower() in path.name.lower() for name in names)


def test_own_scans_keep_their_codes_at_the_next_time(home, tmp_path, image, content_of):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "IM1").write_bytes(content_of(image))
    assert prepare_own(home, folder).sessions == prepare_own(home, folder).sessions


def test_a_folder_without_images_is_one_sentence(home, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(NothingToSend, match=str(tmp_path)):
        prepare_own(home, tmp_path)


def without_transfer_syntax(content):
    at = content.find(b"\x02\x00\x10\x00UI")
    return content[:at] + content[at + 8 + content[at + 6] :]


def zipped(content, *, spoil=lambda packed: packed):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as packed:
        packed.writestr("a.dcm", content)
    return spoil(bytearray(output.getvalue()))


def with_password(packed):
    packed[6] |= 1
    packed[packed.find(b"PK\x01\x02") + 8] |= 1
    return packed


def with_a_wrong_sum(packed):
    packed[200] ^= 0xFF
    return packed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_transfer_syntax, "a broken DICOM file"),
        (lambda content: content[:-33], "a broken DICOM file"),
        (lambda content: content[:200], "not an image object"),
        (lambda content: content.replace(b"1.2.3.4.1", b"MUSTERFRA"), None),
        (lambda content: zipped(content, spoil=with_password), "in a zip file with a password"),
        (lambda content: zipped(content, spoil=with_a_wrong_sum), "in a broken zip file"),
        (lambda content: zipped(content).replace(b"PK\x01\x02", b"PK\x01\x00"), "a broken zip file"),
    ],
)
def test_an_odd_file_is_counted_and_those_beside_it_go(home, tmp_path, image, content_of, spoil, reason, capfd):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "good.dcm").write_bytes(content_of(image))
    (folder / "odd.dcm").write_bytes(spoil(content_of(image)))
    prepared = prepare_own(home, folder)
    assert prepared.left_out == ({reason: 1} if reason else {})
    assert sum(len(session.files()) for session in prepared.sessions) == 1 + (reason is None)
    said = capfd.readouterr()
    assert "MUSTERFRA" not in said.out + said.err


def test_where_nothing_can_be_sent_it_is_said_why(home, tmp_path, image, content_of):
    (tmp_path / "cut.dcm").write_bytes(content_of(image)[:-33])
    with pytest.raises(NothingToSend, match="1 file: a broken DICOM file"):
        prepare_own(home, tmp_path)


def test_a_cached_archive_with_another_content_is_not_used(tmp_path, monkeypatch):
    (tmp_path / scans.ARCHIVE).write_bytes(b"something else")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
    with pytest.raises(scans.DemoInputUnavailable, match="--dicom"):
        scans.fetch_archive(tmp_path)


def test_the_archive_is_taken_as_soon_as_all_of_it_is_there(tmp_path, monkeypatch):
    content = b"the whole archive"
    monkeypatch.setattr(scans, "ARCHIVE_BYTES", len(content))
    monkeypatch.setattr(scans, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())
    coming = tmp_path / "tmp" / "pip-unpack" / scans.ARCHIVE
    coming.parent.mkdir(parents=True)
    for part in (content[:5], b"x" * len(content)):
        coming.write_bytes(part)
        assert not scans._take_complete(tmp_path)
    coming.write_bytes(content)
    assert scans._take_complete(tmp_path)
    assert (tmp_path / "got" / scans.ARCHIVE).read_bytes() == content
