"""Types of the objects every site has: project, subject, experiment, resource and what hangs on them. Pure data."""

from embedded_xnat.schema.model import Contains, Field, Kind, Rows, SubObject, XsiType

CUSTOM_FIELDS = Rows("fields/field", key="name", value="field")
ADDITIONAL_PARAMETERS = Rows("parameters/addParam", key="name", value="addField", row_type="xnat:addField")
PROVENANCE = Rows(
    "provenance/processStep",
    members=tuple(
        Field(name)
        for name in (
            "program",
            "program_version",
            "program_arguments",
            "timestamp",
            "cvs",
            "user",
            "machine",
            "platform",
            "platform_version",
            "compiler",
            "compiler_version",
            "library",
            "library_version",
        )
    ),
    nested=True,
    prefix="prov",
)
RESOURCES = Contains("resources/resource", "xnat:abstractResource")
SHARES = Contains("sharing/share", "xnat:projectParticipant")

_GENDERS = ("male", "female", "other", "unknown", "M", "F")
_HANDS = ("left", "right", "ambidextrous", "unknown")

PROJECT = XsiType(
    "xnat:projectData",
    element="Project",
    singular="Project",
    plural="Projects",
    doc="A collection of subjects involved in a unit of research",
    parts=(
        Field("ID", attribute=True),
        Field("name"),
        Field("type"),
        Field("description", max_length=10_000),
        Field("keywords"),
        Rows("aliases/alias", key="alias", value="alias", members=(Field("source"),)),
        Contains("resources/resource", "xnat:abstractResource"),
        Contains("studyProtocol", "xnat:abstractProtocol"),
        SubObject("PI", "xnat:investigatorData", "xnat:investigatorData"),
        CUSTOM_FIELDS,
        Field("secondary_ID", attribute=True),
        Field("active", Kind.BOOLEAN, attribute=True),
    ),
)

SUBJECT = XsiType(
    "xnat:subjectData",
    element="Subject",
    singular="Subject",
    plural="Subjects",
    display_identifier="label",
    doc="An individual involved in research",
    parts=(
        Field("ID", attribute=True),
        SHARES,
        RESOURCES,
        SubObject("investigator", "xnat:investigatorData", "xnat:investigatorData"),
        SubObject("demographics", "xnat:abstractDemographicData", "xnat:demographicData"),
        SubObject("metadata", "xnat:abstractSubjectMetadata", "xnat:subjectMetadata"),
        Rows("addID", key="name", value="addID"),
        CUSTOM_FIELDS,
        Contains("experiments/experiment", "xnat:subjectAssessorData"),
        Field("project", attribute=True),
        Field("group", attribute=True),
        Field("label", attribute=True),
        Field("src", attribute=True),
        Field("initials", attribute=True),
    ),
)

EXPERIMENT = XsiType(
    "xnat:experimentData",
    display_identifier="label",
    doc="An event in which data are obtained",
    parts=(
        Field("ID", attribute=True),
        SHARES,
        Field("date", Kind.DATE),
        Field("time", Kind.TIME),
        Field("duration", Kind.DURATION),
        Field("delay", Kind.INTEGER),
        Field("delay/ref_expt_id", attribute=True),
        Field("note", max_length=2_500),
        SubObject("investigator", "xnat:investigatorData", "xnat:investigatorData"),
        SubObject("validation", "xnat:validationData", "xnat:validationData"),
        RESOURCES,
        CUSTOM_FIELDS,
        Field("acquisition_site"),
        Field("project", attribute=True),
        Field("visit_id", attribute=True),
        Field("visit", attribute=True),
        Field("version", Kind.INTEGER, attribute=True),
        Field("original", attribute=True),
        Field("protocol", attribute=True),
        Field("label", attribute=True),
    ),
)

SUBJECT_ASSESSOR = XsiType(
    "xnat:subjectAssessorData",
    base="xnat:experimentData",
    abstract=True,
    parts=(Field("subject_ID"), Field("age", Kind.FLOAT)),
)

RESOURCE = XsiType(
    "xnat:abstractResource",
    abstract=True,
    display_identifier="label",
    parts=(
        Field("note", max_length=10_000),
        Rows("tags/tag", key="name", value="tag"),
        Field("label", attribute=True),
        Field("file_count", Kind.INTEGER, attribute=True),
        Field("file_size", Kind.LONG, attribute=True),
    ),
)

SUPPORT = (
    XsiType(
        "xnat:resource",
        base="xnat:abstractResource",
        parts=tuple(
            Field(name, attribute=True)
            for name in ("URI", "format", "description", "content", "cachepath", "catalog_id", "category")
        ),
    ),
    XsiType("xnat:resourceCatalog", base="xnat:resource", element="ResourceCatalog"),
    XsiType(
        "xnat:projectParticipant",
        display_identifier="project",
        parts=(Field("label", attribute=True), Field("project", attribute=True)),
    ),
    XsiType(
        "xnat:investigatorData",
        display_identifier="lastname",
        parts=(
            Field("title", max_length=64),
            Field("firstname"),
            Field("lastname"),
            Field("institution", max_length=255),
            Field("department", max_length=128),
            Field("email"),
            Field("phone"),
            Field("ID", attribute=True),
        ),
    ),
    XsiType(
        "xnat:validationData",
        display_identifier="status",
        parts=(
            Field("method"),
            Field("date", Kind.DATE),
            Field("notes", max_length=500),
            Field("validated_by"),
            Field("status", attribute=True),
        ),
    ),
    XsiType(
        "xnat:addField",
        display_identifier="name",
        text_kind=Kind.TEXT,
        parts=(Field("name", attribute=True),),
    ),
    XsiType("xnat:abstractSubjectMetadata"),
    XsiType("xnat:subjectMetadata", base="xnat:abstractSubjectMetadata", parts=(Field("cohort"),)),
    XsiType("xnat:abstractDemographicData"),
    XsiType(
        "xnat:demographicData",
        base="xnat:abstractDemographicData",
        parts=(
            Field("dob", Kind.DATE),
            Field("yob", Kind.INTEGER),
            Field("age", Kind.INTEGER),
            Field("gender", values=_GENDERS),
            Field("handedness", values=_HANDS),
            Field("ses", Kind.INTEGER),
            Field("employment", Kind.INTEGER),
            Field("education", Kind.INTEGER),
            Field("educationDesc"),
            *(Field(f"race{number}") for number in ("", "2", "3", "4", "5", "6")),
            Field("ethnicity"),
            Field("weight", Kind.FLOAT),
            Field("weight/units", attribute=True),
            Field("height", Kind.FLOAT),
            Field("height/units", attribute=True),
            Field("gestational_age", Kind.FLOAT),
            Field("post_menstrual_age", Kind.FLOAT),
            Field("birth_weight", Kind.FLOAT),
        ),
    ),
    XsiType(
        "xnat:abstractProtocol",
        display_identifier="ID",
        parts=tuple(Field(name, attribute=True) for name in ("ID", "name", "description", "data-type")),
    ),
    XsiType(
        "xnat:datatypeProtocol",
        base="xnat:abstractProtocol",
        parts=(Contains("definitions/definition", "xnat:fieldDefinitionGroup"),),
    ),
    XsiType("xnat:studyProtocol", base="xnat:abstractProtocol"),
    XsiType(
        "xnat:fieldDefinitionGroup",
        element="FieldDefinitionGroup",
        parts=(
            Rows(
                "fields/field",
                key="name",
                members=(
                    Rows("possibleValues/possibleValue", value="possibleValue", members=(Field("display"),)),
                    Field("type"),
                    Field("datatype"),
                    Field("required", Kind.BOOLEAN),
                    Field("sequence", Kind.INTEGER),
                    Field("xmlPath"),
                    Field("group"),
                ),
            ),
            *(Field(name, attribute=True) for name in ("ID", "data-type", "description")),
            Field("shareable", Kind.BOOLEAN, attribute=True),
            Field("project-specific", Kind.BOOLEAN, attribute=True),
        ),
    ),
)
