"""`/v1/dmca`."""

from sanic import Blueprint

blueprint = Blueprint("dmca", url_prefix="/dmca")
