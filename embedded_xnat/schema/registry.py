"""The data model of this server, assembled from the tables of types. Pure."""

from embedded_xnat.schema.assessor_types import ASSESSORS, DERIVED, IMAGE_ASSESSOR, SUBJECT_ASSESSORS
from embedded_xnat.schema.core_types import EXPERIMENT, PROJECT, RESOURCE, SUBJECT, SUBJECT_ASSESSOR, SUPPORT
from embedded_xnat.schema.imaging_types import IMAGE_SCAN, IMAGE_SESSION, RECONSTRUCTION, scan_types, session_types
from embedded_xnat.schema.model import DataModel

MODEL = DataModel(
    (
        PROJECT,
        SUBJECT,
        EXPERIMENT,
        SUBJECT_ASSESSOR,
        IMAGE_SESSION,
        *session_types(),
        IMAGE_SCAN,
        *scan_types(),
        RECONSTRUCTION,
        DERIVED,
        IMAGE_ASSESSOR,
        *ASSESSORS,
        *SUBJECT_ASSESSORS,
        RESOURCE,
        *SUPPORT,
    )
)

#: Prefix of a schema to its namespace, and the name under which it is listed.
NAMESPACES = {
    "xnat": "http://nrg.wustl.edu/xnat",
    "xdat": "http://nrg.wustl.edu/xdat",
    "proc": "http://nrg.wustl.edu/proc",
    "fs": "http://nrg.wustl.edu/fs",
    "icr": "http://icr.ac.uk/icr",
    "prov": "http://www.nbirn.net/prov",
}
SCHEMA_NAMES = {"xdat": "xdat", "xnat": "xnat", "proc": "proc/genProcData", "fs": "fs/fs", "icr": "roi"}
