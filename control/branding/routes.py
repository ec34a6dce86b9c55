"""`/v1/branding/brand-kits`."""

from sanic import Blueprint

blueprint = Blueprint("branding", url_prefix="/branding/brand-kits")
