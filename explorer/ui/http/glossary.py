"""Answers with the figures of the glossary; a page asks for those that are opened."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from explorer import language
from explorer.charts.glossary import glossary_svg
from explorer.labs.glossary import ENTRIES
from explorer.language import ENGLISH, say, speaking

PATH = "/glossary-figures"
_TERMS = {entry.name: entry.term for entry in ENTRIES}


def _answer(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _TERMS:
        return Response(status_code=404)
    with speaking(language.match(request.query_params.get("lang")) or ENGLISH):
        figure = glossary_svg(name, say(_TERMS[name]))
    return Response(figure, media_type="image/svg+xml", headers={"cache-control": "max-age=3600"})


ROUTES = [Route(PATH + "/{name}.svg", _answer, methods=["GET"])]
