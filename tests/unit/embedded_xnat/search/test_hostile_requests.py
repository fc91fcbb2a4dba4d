"""Whatever a listing or a search is asked, it answers or refuses; it never breaks."""

from httpx import Response
from hypothesis import given, settings
from hypothesis import strategies as st

SPACE = "http://nrg.wustl.edu/security"
PATHS = (
    "/data/projects",
    "/data/subjects",
    "/data/experiments",
    "/data/projects/P/experiments",
    "SESSION/scans",
    "SESSION/assessors",
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "ID",
            "label",
            "date",
            "age",
            "insert_date",
            "URI",
            "DEFAULT",
            "alias",
            "xnat:mrSessionData/age",
            "xnat:mrSessionData/fields/field[name='x]/field",
            "xnat:mrSessionData/fields/field[name=x]/nonsense",
            "xnat:mrScanData/parameters/addParam[name=x]/addField",
            "xnat:imageScanData/file/label",
            "xnat:imageSessionData/scans/scan/scans/scan/id",
            "xnat:subjectData/experiments/experiment",
            "xnat:reconstructedImageData/provenance/processStep/program",
            "proc:genProcData/inputs",
            "xnat:projectData/PI/lastname",
            "xnat:subjectData/sharing/share/project",
            "xdat:user/login",
        ]
    ),
    st.text(max_size=30),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "*",
            "[",
            "[!]",
            "[^]",
            "[a-]*",
            ">",
            ">=x",
            "<5",
            "1e999",
            "nan",
            "-0",
            "99999999999999999999",
            "0001-01-01",
            "02/30/2026",
            "NULL",
        ]
    ),
    st.text(max_size=30),
)
OPERATORS = st.sampled_from(["=", ">", "<=", "LIKE", "NOT LIKE", "IN", "IS", "IS NOT", "BETWEEN", "!=", "nonsense", ""])
TYPES = st.sampled_from(
    [
        "xnat:mrSessionData",
        "xnat:subjectData",
        "xnat:projectData",
        "xnat:mrScanData",
        "proc:genProcData",
        "xnat:imageSessionData",
    ]
)


def escaped(text: str) -> str:
    kept = "".join(mark for mark in text if mark >= " " and mark not in "\ufffe\uffff")
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def assert_answered_or_refused(answer: Response, asked: object) -> None:
    assert answer.status_code == 200 or (answer.status_code == 400 and answer.json()["detail"]), (asked, answer.text)


def test_listings_answer_or_refuse(admin, session_uri: str) -> None:
    @settings(max_examples=150, database=None)
    @given(path=st.sampled_from(PATHS), filters=st.lists(st.tuples(NAMES, VALUES), max_size=3), columns=st.lists(NAMES, max_size=3),
           sort=st.none() | NAMES, limit=st.none() | VALUES, xsi_type=st.none() | TYPES | VALUES)  # fmt: skip
    def ask(path, filters, columns, sort, limit, xsi_type) -> None:
        params = [*filters, ("columns", ",".join(columns)), ("offset", "1")]
        params += [
            (name, value)
            for name, value in (("sortBy", sort), ("limit", limit), ("xsiType", xsi_type))
            if value is not None
        ]
        answer = admin.get(path.replace("SESSION", session_uri), params=params)
        assert_answered_or_refused(answer, params)

    ask()


def test_searches_answer_or_refuse(admin, session_uri: str) -> None:
    @settings(max_examples=150, database=None)
    @given(root=TYPES, element=TYPES, fields=st.lists(NAMES, max_size=3), criteria=st.lists(st.tuples(NAMES, OPERATORS, VALUES), max_size=3),
           method=st.sampled_from(["AND", "OR"]))  # fmt: skip
    def ask(root, element, fields, criteria, method) -> None:
        shown = "".join(
            f"<x:search_field><x:element_name>{element}</x:element_name><x:field_ID>{escaped(name)}</x:field_ID></x:search_field>"
            for name in fields
        )
        where = "".join(
            f"<x:criteria><x:schema_field>{escaped(name)}</x:schema_field><x:comparison_type>{escaped(operator)}"
            f"</x:comparison_type><x:value>{escaped(value)}</x:value></x:criteria>"
            for name, operator, value in criteria
        )
        document = (
            f'<x:bundle xmlns:x="{SPACE}"><x:root_element_name>{root}</x:root_element_name>{shown}'
            f'<x:search_where method="{method}">{where}</x:search_where></x:bundle>'
        )
        answer = admin.post("/data/search", content=document.encode("utf-8", "replace"))
        assert_answered_or_refused(answer, document)

    ask()
