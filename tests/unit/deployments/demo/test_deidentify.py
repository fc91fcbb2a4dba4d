"""What leaves a site holds no identity, and is the same object each time."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from deployments.demo.deidentify import NotAnImage, Policy, deidentify, read_image

POLICY = Policy(key=b"k" * 32, protocol_id="brain-volumetry", site_id="site-a")


def cleaned(content, *, subject="BV-001", policy=POLICY):
    return dcmread(BytesIO(deidentify(read_image(content), subject=subject, policy=policy).content))


def test_no_name_number_or_date_of_the_person_is_left_anywhere(image, content_of, names):
    content = deidentify(read_image(content_of(image)), subject="BV-001", policy=POLICY).content
    found = [name for name in names if name.encode().lower() in content.lower()]
    assert found == []


def test_the_object_says_how_it_was_deidentified(image, content_of):
    ds = cleaned(content_of(image))
    assert ds.PatientIdentityRemoved == "YES"
    assert {item.CodeValue for item in ds.DeidentificationMethodCodeSequence} == {
        "113100",
        "113105",
        "113107",
        "113108",
    }
    assert all(item.CodingSchemeDesignator == "DCM" for item in ds.DeidentificationMethodCodeSequence)
    assert len(ds.DeidentificationMethod) <= 64
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED"


def test_the_object_names_study_site_and_code(image, content_of):
    ds = cleaned(content_of(image))
    assert (ds.PatientID, str(ds.PatientName)) == ("BV-001", "BV-001")
    assert (ds.ClinicalTrialProtocolID, ds.ClinicalTrialSiteID) == ("brain-volumetry", "site-a")


def test_the_image_itself_is_untouched(image, content_of):
    ds = cleaned(content_of(image))
    assert np.array_equal(ds.pixel_array, image.pixel_array)
    assert (ds.RepetitionTime, ds.EchoTime, ds.Rows) == (2000, 2.5, 4)
    assert ds.file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID


def test_private_elements_go(image, content_of):
    assert not [element for element in cleaned(content_of(image)) if element.tag.is_private]


def test_descriptions_stay_without_the_name(image, content_of):
    assert cleaned(content_of(image)).SeriesDescription == "t1_mprage"


def test_references_follow_the_new_uids(image, content_of):
    ds = cleaned(content_of(image))
    assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID != image.SOPInstanceUID
    assert ds.ReferencedImageSequence[0].ReferencedSOPClassUID == image.SOPClassUID
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def test_the_same_image_gives_the_same_bytes(image, content_of):
    content = content_of(image)
    assert deidentify(read_image(content), subject="A", policy=POLICY) == deidentify(
        read_image(content), subject="A", policy=POLICY
    )


def test_another_site_key_gives_other_uids(image, content_of):
    other = Policy(key=b"o" * 32, protocol_id="brain-volumetry", site_id="site-a")
    assert cleaned(content_of(image)).StudyInstanceUID != cleaned(content_of(image), policy=other).StudyInstanceUID


def test_all_dates_of_a_subject_move_by_the_same_days(image, content_of):
    ds = cleaned(content_of(image))
    assert ds.StudyDate != "20240115"
    assert ds.AcquisitionDateTime[:8] == ds.StudyDate
    assert ds.AcquisitionDateTime[8:] == "101500.12"


def test_dates_stay_where_the_policy_keeps_them(image, content_of):
    keeping = Policy(key=b"k" * 32, protocol_id="p", site_id="s", keep_dates=True)
    ds = cleaned(content_of(image), policy=keeping)
    assert ds.StudyDate == "20240115"
    assert "113106" in {item.CodeValue for item in ds.DeidentificationMethodCodeSequence}


@given(st.text(alphabet="0123456789.", min_size=1, max_size=64))
def test_uids_are_valid_and_do_not_collide_with_their_origin(original):
    uid = POLICY.uid(original)
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert uid != original


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ds: ds.__delattr__("PixelData"),
        lambda ds: ds.__setattr__("BurnedInAnnotation", "YES"),
        lambda ds: ds.__setattr__("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
    ],
)
def test_what_is_no_image_or_may_show_a_name_is_left_out(image, content_of, spoil):
    spoil(image)
    with pytest.raises(NotAnImage):
        read_image(content_of(image))


def test_what_is_no_dicom_is_left_out():
    with pytest.raises(NotAnImage):
        read_image(b"GIF89a" + bytes(400))
