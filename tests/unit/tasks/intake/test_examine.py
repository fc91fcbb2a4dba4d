"""Every file of an arrival goes on, or says why not."""

import datetime as dt
import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.config import disable_value_validation

from tasks.intake import examine
from tasks.intake.routing import label_of
from tests.unit.tasks.dicom_files import instance, write, write_series


def reasons(report):
    return [one.reason for one in report.rejected]


def test_a_good_arrival_has_a_route_and_its_series(tmp_path, study):
    paths = write_series(tmp_path, slices=5) + write_series(
        tmp_path, slices=3, series="1.2.9", SeriesNumber=2, EchoTime=90
    )
    report = examine(paths, [study], calling_ae="NORTH")
    assert report.rejected == ()
    assert report.arrival_reason is None
    assert [one.series_number for one in report.series] == [2, 5]
    route = report.route
    assert (route.study, route.xnat_project, route.site, route.subject_label) == ("heads", "HEADS", "north", "BV-001")
    assert (route.session_label, route.scandate) == ("BV-001_MR_20260203", dt.date(2026, 2, 3))
    facts = report.series[1].facts
    assert (facts.slice_spacing_mm, facts.slice_positions, facts.missing_slices) == (2.0, 5, 0)
    assert (facts.scanning_sequence, facts.sequence_variant) == (("GR",), ("SS", "SP"))
    assert len(report.series[1].instances[0].sha256) == 64


def test_the_order_of_the_files_makes_no_difference(tmp_path, study):
    paths = write_series(tmp_path, slices=6)
    shuffled = random.Random(3).sample(paths, len(paths))
    assert examine(paths, [study]) == examine(shuffled, [study])


def test_a_file_that_came_twice_counts_once(tmp_path, study):
    ds = instance()
    paths = [write(ds, tmp_path, "a.dcm"), write(ds, tmp_path, "b.dcm")]
    report = examine(paths, [study])
    assert report.instance_count == 1
    assert report.rejected == ()


def test_one_uid_with_two_contents_keeps_one_and_rejects_the_other(tmp_path, study):
    paths = [write(instance(), tmp_path, "a.dcm"), write(instance(EchoTime=5), tmp_path, "b.dcm")]
    report = examine(paths, [study])
    assert report.instance_count == 1
    assert reasons(report) == [
        "Rejected: another instance with the same SOP Instance UID and other content came with it."
    ]


def test_bad_files_do_not_hold_up_the_good_ones(tmp_path, study):
    good = write_series(tmp_path, slices=3)
    cut = write(instance(number=90), tmp_path)
    cut.write_bytes(cut.read_bytes()[:-50])
    text = tmp_path / "README.md"
    text.write_text("hello")
    ct = write(instance(number=91, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), tmp_path)
    seg = write(instance(number=92, Modality="SEG", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"), tmp_path)
    marked = write(instance(number=93, PatientIdentityRemoved="NO"), tmp_path)
    report = examine([*good, cut, text, ct, seg, marked], [study])
    assert report.instance_count == 3
    assert sorted(reasons(report)) == [
        "Rejected: it cannot be read as a DICOM file.",
        "Rejected: it is not an image (Segmentation Storage).",
        "Rejected: it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES).",
        "Rejected: its modality is CT, and study heads takes MR.",
        "Rejected: the file is truncated: 512 bytes of pixel data are announced and 462 are there.",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PatientIdentityRemoved": None}, "0012,0062 is not YES"),
        ({"DeidentificationMethod": None, "DeidentificationMethodCodeSequence": None}, "names no method"),
        ({"BurnedInAnnotation": "YES"}, "text is burned into its pixels"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, "it is not an image (Basic Text SR Storage)"),
        ({"SOPClassUID": "1.3.12.2.1107.5.9.1"}, "it is not an image (an unknown kind of object)"),
        ({"PixelData": None}, "it ends before its pixel data"),
    ],
)
def test_an_instance_that_may_not_enter_says_why(tmp_path, study, changes, words):
    report = examine([write(instance(**changes), tmp_path)], [study])
    assert report.series == ()
    assert words in report.rejected[0].reason
    assert report.arrival_reason.startswith("None of its instances can be accepted. 1 instance: ")


def test_an_instance_names_every_reason_at_once(tmp_path, study):
    raw = {"PatientIdentityRemoved": None, "DeidentificationMethod": None, "DeidentificationMethodCodeSequence": None}
    ct = {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
    report = examine([write(instance(BurnedInAnnotation="YES", **raw, **ct), tmp_path)], [study])
    (reason,) = reasons(report)
    assert reason.split("; also ") == [
        "Rejected: its modality is CT, and study heads takes MR",
        "it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES)",
        "it names no method of de-identification (0012,0063 and 0012,0064 are empty)",
        "it says that text is burned into its pixels (0028,0301) and names no cleaning of the pixels (113101).",
    ]
    assert report.arrival_reason.startswith("None of its instances can be accepted. 1 instance: its modality is CT, ")


def test_a_truncated_instance_says_too_that_it_is_not_marked_as_deidentified(tmp_path, study):
    cut = write(instance(PatientIdentityRemoved="NO"), tmp_path)
    cut.write_bytes(cut.read_bytes()[:-50])
    stub = write(instance(number=2, PatientIdentityRemoved="NO"), tmp_path)
    stub.write_bytes(stub.read_bytes().partition(b"\x28\x00\x02\x00")[0])  # in front of group 0028, the image's
    report = examine([cut, stub], [study])
    assert sorted(reason.split(";")[-1] for reason in reasons(report)) == [
        " also it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES).",
        "Rejected: the file is truncated: it ends inside its header.",
    ]


def test_an_arrival_without_a_route_names_everything_that_is_in_the_way(tmp_path, study):
    lax = study.model_copy(update={"deidentification": study.deidentification.model_copy(update={"required": False})})
    changes = {"ClinicalTrialProtocolID": "OTHER", "PatientIdentityRemoved": "NO"}
    paths = [
        write(instance(number=1, PatientID=None, **changes), tmp_path),
        write(instance(number=2, PatientID="BV-002", **changes), tmp_path),
        write(instance(number=3, PatientID="BV-003", **changes), tmp_path),
    ]
    report = examine(paths, [study])
    route = (
        "No study of this house has the name that it gives in ClinicalTrialProtocolID (0012,0020). "
        "It has no PatientID (0010,0020), so its subject is not known. "
        "Its instances belong to different subjects: PatientID (0010,0020) changes within one DICOM study."
    )
    marked = "it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES)."
    assert report.arrival_reason == f"3 instances: {marked} {route}"
    assert reasons(report) == [f"{marked[:1].upper()}{marked[1:]} {route}"] * 3
    assert examine(paths, [study, lax]).arrival_reason == route
    assert examine(paths, []).arrival_reason == route


def test_an_instance_whose_uids_are_all_invalid_names_each(tmp_path, study):
    with disable_value_validation():
        path = write(instance(SOPInstanceUID="a", StudyInstanceUID="b", SeriesInstanceUID="c"), tmp_path, "a.dcm")
    assert (
        "its Study Instance UID and Series Instance UID and SOP Instance UID are no valid UIDs"
        in reasons(examine([path], [study]))[0]
    )


@pytest.mark.parametrize("changes", [{"DeidentificationMethod": None}, {"DeidentificationMethodCodeSequence": None}])
def test_one_of_the_two_ways_to_name_the_method_is_enough(tmp_path, study, changes):
    assert examine([write(instance(**changes), tmp_path)], [study]).instance_count == 1


def test_a_study_may_ask_for_a_certain_method(tmp_path, study):
    policy = study.deidentification.model_copy(update={"required_codes": ("113101",)})
    strict = study.model_copy(update={"deidentification": policy})
    report = examine([write(instance(), tmp_path)], [strict])
    assert "113101 in 0012,0064" in report.rejected[0].reason


def test_burned_in_text_that_was_cleaned_is_accepted(tmp_path, study):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113101", "DCM", "Clean Pixel Data Option"
    path = write(instance(BurnedInAnnotation="YES", DeidentificationMethodCodeSequence=[code]), tmp_path)
    assert examine([path], [study]).instance_count == 1


def test_a_ct_sent_to_a_study_of_heads_names_the_study_that_refused_it(tmp_path, study):
    ct = instance(Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    report = examine([write(ct, tmp_path)], [study])
    assert report.route.study == "heads"
    assert "its modality is CT, and study heads takes MR" in report.arrival_reason


def test_a_modality_that_is_no_defined_term_is_not_repeated(tmp_path, study):
    with disable_value_validation():
        report = examine([write(instance(Modality="DOE/JOHN"), tmp_path)], [study])
    assert reasons(report) == ["Rejected: its modality is another one, and study heads takes MR."]
    assert "DOE" not in report.model_dump_json()


@pytest.mark.parametrize(
    ("changes", "aes", "how"),
    [
        ({"ClinicalTrialProtocolID": "HEADS-1"}, ("", ""), "ClinicalTrialProtocolID (0012,0020)"),
        ({"ClinicalTrialProtocolID": None}, ("", "HEADS"), "the AE title called, HEADS"),
        ({"ClinicalTrialProtocolID": None}, ("NORTH", "ANY"), "the AE title of the sender, NORTH"),
    ],
)
def test_the_study_is_found_by_header_then_by_network(tmp_path, study, changes, aes, how):
    report = examine([write(instance(**changes), tmp_path)], [study], calling_ae=aes[0], called_ae=aes[1])
    assert report.route.how == how


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ClinicalTrialProtocolID": "OTHER"}, "No study of this house has the name"),
        ({"ClinicalTrialProtocolID": None}, "name no study in ClinicalTrialProtocolID"),
        ({"PatientID": None}, "no PatientID"),
    ],
)
def test_an_arrival_without_a_route_says_what_was_looked_for(tmp_path, study, changes, words):
    report = examine([write(instance(**changes), tmp_path)], [study])
    assert report.route is None
    assert words in report.arrival_reason
    assert reasons(report) == [report.arrival_reason]


def test_two_subjects_in_one_dicom_study_are_refused(tmp_path, study):
    paths = [write(instance(number=1), tmp_path), write(instance(number=2, PatientID="BV-002"), tmp_path)]
    assert "different subjects" in examine(paths, [study]).arrival_reason


def test_no_reason_repeats_a_value_of_the_header(tmp_path, study):
    secret = "DOE-JOHN"
    paths = [
        write(instance(number=1, PatientID=secret, PatientName=secret, ClinicalTrialProtocolID=secret), tmp_path),
        write(instance(number=2, PatientID=secret, PatientName=secret, ClinicalTrialProtocolID=None), tmp_path),
    ]
    report = examine(paths, [study])
    assert secret not in report.model_dump_json(exclude={"rejected": {"__all__": {"sop_instance_uid"}}})


def test_a_subject_that_is_no_label_becomes_one_and_stays_distinct(tmp_path, study):
    labels = {
        examine([write(instance(PatientID=name), tmp_path / str(n))], [study]).route.subject_label
        for n, name in enumerate(["BV 001", "BV.001", "BV_001", "Ä"])
    }
    assert len(labels) == 4
    assert all(
        set(label) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") for label in labels
    )


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", ["../../1.2", "1..2", "..", "1.2.DOE", "1.2.", "1" * 65])
def test_an_instance_with_an_invalid_uid_is_refused_without_repeating_it(tmp_path, study, keyword, value):
    with disable_value_validation():
        path = write(instance(**{keyword: value}), tmp_path, "a.dcm")
    report = examine([path], [study])
    assert report.series == ()
    (one,) = report.rejected
    assert one.sop_instance_uid is None
    assert "is no valid UID (digits and dots, at most 64 characters)" in one.reason
    assert value not in one.reason


def test_leading_zeros_in_a_uid_are_taken_as_scanners_write_them(tmp_path, study):
    with disable_value_validation():
        path = write(instance(SOPInstanceUID="1.2.0003.04"), tmp_path, "a.dcm")
    assert examine([path], [study]).instance_count == 1


@given(st.text(min_size=1, max_size=120), st.text(min_size=1, max_size=120))
@example("-rf", "rf")
@example("..", "../..")
@example("_", "-")
def test_every_label_begins_with_a_letter_or_digit_and_stays_distinct(one, other):
    for identifier in (one, other):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}", label_of(identifier))
        assert len(label_of(identifier)) < 80
    assert (label_of(one) == label_of(other)) == (one == other)


def test_an_empty_arrival_says_so(study):
    assert examine([], [study]).arrival_reason == "It holds no files."
