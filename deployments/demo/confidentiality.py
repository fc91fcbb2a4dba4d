"""Which attributes of an image leave a site: an allow-list, stricter than the deny-list of PS3.15 Table E.1-1.

Whole groups that describe acquisition and geometry stay; in them and elsewhere free text stays only by name. What no line
here names is removed. Data only: imports nothing.
"""

from __future__ import annotations

KEPT_GROUPS = frozenset({0x0018, 0x0020, 0x0022, 0x0028, 0x0054, 0x5200, 0x7FE0})
"""Acquisition, relationship, ophthalmology, image pixel, nuclear medicine, functional groups, pixel data."""

TEXT_VRS = frozenset({"AE", "LO", "LT", "OB", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
"""Value representations that can hold a name; kept only for the keywords in `KEPT_KEYWORDS`."""

KEPT_KEYWORDS = frozenset(
    {
        # General image and series, group 0008
        "SpecificCharacterSet", "ImageType", "TimezoneOffsetFromUTC", "SOPClassUID", "SOPInstanceUID",
        "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime",
        "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "Modality", "ConversionType",
        "Manufacturer", "ManufacturerModelName", "SeriesDescription", "AnatomicRegionSequence",
        "AnatomicRegionModifierSequence", "ReferencedImageSequence", "SourceImageSequence",
        "ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "ReferencedFrameNumber", "ReferencedSeriesSequence",
        "PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique", "ComplexImageComponent",
        "AcquisitionContrast", "CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning",
        "PurposeOfReferenceCodeSequence", "DerivationCodeSequence",
        # Patient characteristics (option 113108), group 0010
        "PatientSex", "PatientAge", "PatientSize", "PatientWeight",
        # Text of the acquisition and geometry groups
        "ProtocolName", "SequenceName", "PulseSequenceName", "SoftwareVersions", "ReceiveCoilName", "TransmitCoilName",
        "ImagedNucleus", "ContrastBolusAgent", "ContrastBolusRoute", "ConvolutionKernel", "FilterType",
        "PositionReferenceIndicator", "StackID", "DimensionDescriptionLabel", "RescaleType", "LUTExplanation",
        "WindowCenterWidthExplanation", "ModalityLUTType", "BurnedInAnnotation",
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
        "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
        # Values in real units, group 0040
        "RealWorldValueMappingSequence", "RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped",
        "RealWorldValueIntercept", "RealWorldValueSlope", "MeasurementUnitsCodeSequence",
    }
)  # fmt: skip

REMOVED_KEYWORDS = frozenset(
    {
        "DateOfSecondaryCapture", "TimeOfSecondaryCapture", "SecondaryCaptureDeviceManufacturer", "DateOfLastCalibration",
        "TimeOfLastCalibration", "DateTimeOfLastCalibration", "DateOfManufacture", "DateOfInstallation",
        "DetectorID", "DateOfLastDetectorCalibration", "TimeOfLastDetectorCalibration", "ContributionDateTime",
        "SynchronizationFrameOfReferenceUID", "StudyID", "ModifyingSystem", "InstanceOriginStatus",
        "LongitudinalTemporalInformationModified",
    }
)  # fmt: skip
"""In kept groups, but of no use to research and of some to a curious reader."""

BLANK_KEYWORDS = ("AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "StudyID")
"""Must be present in an image object, may be without value (type 2)."""

DESCRIPTIONS = frozenset({"SeriesDescription", "ProtocolName"})
"""Kept for recognising scans, with names and numbers of the patient cut out (option 113105)."""
