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
        "ImageType", "TimezoneOffsetFromUTC", "SOPClassUID", "SOPInstanceUID",
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
        "StackID", "RescaleType", "ModalityLUTType", "BurnedInAnnotation",
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
        "LongitudinalTemporalInformationModified", "ModifyingDeviceID", "TransducerIdentificationSequence", "UDISequence",
    }
)  # fmt: skip
"""In kept groups, but of no use to research and of some to a curious reader."""

BLANK_KEYWORDS = (
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientBirthDate",
    "StudyID",
    "PositionReferenceIndicator",
)
"""Must be present in an image object, may be without value (type 2)."""

DESCRIPTIONS = frozenset({"SeriesDescription", "ProtocolName", "BodyPartExamined", "ContrastBolusRoute"})
"""Typed by people: of them stay the words of imaging alone (option 113105)."""

NO_AGENT = frozenset({"", "0", "N", "NO", "NONE"})
"""How scanners write into ContrastBolusAgent that none was given."""
SOME_AGENT = "CONTRAST AGENT"
"""Stands for an agent whose name is no word of imaging: that one was given must not be lost (action D)."""

WORDS_OF_IMAGING = frozenset(
    word
    for words in (
        # Contrasts and sequences
        "t1 t1w t1wi t2 t2w t2wi pd pdw pdt2 t2star flair stir tirm spair dir psir mprage mpr mp2rage mp rage spgr bravo",
        "fspgr efgre efgre3d fgre fgre3d gre ge gr flash fl2d fl3d tfl tfl3d tfe ffe vibe lava thrive dixon space cube vista",
        "se tse fse ssfse haste frfse tgse spin echo spinecho gradient gradientecho turbo fast inversion recovery epi ep2d epfid",
        "dwi dti dki diff diffusion tensor trace adc fa md mddw noddi b0 b50 b500 b800 b1000 b2000 b3000 isotropic",
        "swi mip minip qsm sus susceptibility suseptibility heme bold fmri rest resting task fieldmap field map mapping phase mag",
        "magnitude real imaginary real imag perf perfusion dsc dce asl pasl pcasl cbf cbv mtt tmax ttp tof mra mrv angio pc",
        "cine ssfp fiesta ciss trufi truefisp bssfp mrs svs csi press steam spectroscopy fs fatsat fat sat fatsup water",
        "in opp out opposed inphase outphase mt mtr rms navigated nav motion moco corrected uncorrected nd dis2d dis3d",
        # Geometry and order
        "2d 3d 4d ax axial tra trans transverse transversal cor coronal sag sagittal obl oblique iso mm 1mm 2mm 3mm 4mm 5mm",
        "loc localizer localiser scout survey plane 3plane tri volume vol slab single multi slice slices thin thick overlap",
        "whole full partial high low res resolution hires p2 p3 p4 ipat grappa sense sms accel scan series image images",
        "acq acquisition repeat rep run first second pre post early late delayed dynamic dyn native static test retest base",
        "baseline follow up followup final orig original derived primary secondary reformat reformatted recon reconstruction",
        # Contrast media
        "gad gado gadolinium gd dotarem gadovist magnevist multihance omniscan prohance primovist clariscan iodine iodinated",
        "omnipaque visipaque ultravist iomeron isovue iopamiro contrast agent ce wo without with no none iv oral rectal enhanced",
        "unenhanced nativ km kontrastmittel arterial art venous ven portal portovenous equilibrium excretory barium",
        # CT, PET, X-ray
        "ct cta ctp cect ncct hrct ldct lowdose dose spiral helical std standard soft softtissue tissue bone lung sharp smooth",
        "kernel window mediastinum mar dual energy mono monoenergetic cardiac gated prospective retrospective calcium score",
        "pet spect nm fdg f18 ac nac attenuation suv mr mri xa xr dx cr ap pa lat lateral",
        # Body parts, PS3.16 Annex L
        "head brain skull hcp neuro orbit orbits sella pituitary iac temporal hippocampus face sinus sinuses neck carotid",
        "carotids thyroid spine cspine tspine lspine cervical thoracic lumbar sacrum cord chest thorax heart cardio coronary aorta",
        "breast abdomen abd liver spleen pancreas kidney kidneys renal adrenal bowel pelvis bladder prostate uterus ovary hip",
        "hips knee ankle foot shoulder elbow wrist hand leg arm femur tibia extremity wholebody body left right bilateral both",
        "kopf schaedel gehirn hirn hals wirbelsaeule becken leber herz lunge knie schulter tete cerveau thorax crane hersenen",
    )
    for word in words.split()
)  # fmt: skip
"""Words of descriptions that say how and of which part of the body images were made, in lower case."""
