"""Answers with a table, as JSON, CSV or XML. May import Starlette."""

from collections.abc import Sequence

from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.domain.tables import Row, table_csv, table_document, table_xml


def render_table(wanted: str | None, rows: Sequence[Row], columns: Sequence[str] = ()) -> Response:
    """Return a table in the format that a request asks for; JSON when it asks for none."""
    match (wanted or "json").lower():
        case "csv":
            return PlainTextResponse(table_csv(rows, columns), media_type="text/csv")
        case "xml":
            return Response(table_xml(rows, columns), media_type="application/xml")
        case _:
            return JSONResponse(table_document(rows))
